package strictjson

import (
	"encoding"
	"encoding/json"
	"reflect"
	"strings"
	"time"
)

// Shape is what a document has to look like, so that encoding/json makes a value
// of a Go type of it and nothing is lost or guessed on the way.
type Shape struct {
	kind     Kind // Invalid: anything
	bits     int  // of a whole number; 0: any number
	unsigned bool
	time     bool // RFC 3339
	item     *Shape
	fields   map[string]*field // of an object; nil: any names, each with an item
	names    []string
}

// maxFields of one object: see seen.
const maxFields = 128

type field struct {
	name  string
	index int
	shape *Shape
}

// ShapeOf returns the shape of v's type: of structs, maps with string keys,
// slices, pointers, strings, booleans and numbers.
func ShapeOf(v any) *Shape {
	return shapeOf(reflect.TypeOf(v), map[reflect.Type]*Shape{})
}

func shapeOf(t reflect.Type, known map[reflect.Type]*Shape) *Shape {
	if t.Kind() == reflect.Pointer {
		return shapeOf(t.Elem(), known)
	}
	if s, found := known[t]; found {
		return s
	}
	s := &Shape{}
	known[t] = s
	switch pointer := reflect.PointerTo(t); {
	case t == reflect.TypeFor[time.Time]():
		s.kind, s.time = String, true
		return s
	case pointer.Implements(reflect.TypeFor[json.Unmarshaler]()):
		return s
	case pointer.Implements(reflect.TypeFor[encoding.TextUnmarshaler]()):
		s.kind = String
		return s
	}
	switch t.Kind() {
	case reflect.String:
		s.kind = String
	case reflect.Bool:
		s.kind = Bool
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		s.kind, s.bits = Number, t.Bits()
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		s.kind, s.bits, s.unsigned = Number, t.Bits(), true
	case reflect.Float32, reflect.Float64:
		s.kind = Number
	case reflect.Slice:
		if s.kind = Array; t.Elem().Kind() == reflect.Uint8 {
			s.kind = String // base64
		}
		s.item = shapeOf(t.Elem(), known)
	case reflect.Map:
		s.kind, s.item = Object, shapeOf(t.Elem(), known)
	case reflect.Struct:
		s.kind, s.fields = Object, map[string]*field{}
		s.addFields(t, known)
	}
	return s
}

// addFields adds those of a struct: its own ones before those of what it embeds.
func (s *Shape) addFields(t reflect.Type, known map[reflect.Type]*Shape) {
	var embedded []reflect.Type
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Tag.Get("json") == "-":
		case f.Anonymous && name == "":
			embedded = append(embedded, f.Type)
		case f.IsExported():
			if name == "" {
				name = f.Name
			}
			if s.fields[name] == nil {
				s.fields[name] = &field{name, len(s.names), shapeOf(f.Type, known)}
				s.names = append(s.names, name)
			}
		}
	}
	for _, e := range embedded {
		s.addFields(e, known)
	}
	if len(s.names) > maxFields {
		panic("strictjson: " + t.String() + " has too many fields")
	}
}
