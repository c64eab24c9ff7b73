package strictjson

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"tripod/installer"
)

var (
	valueType  = reflect.TypeFor[Value]()
	rawType    = reflect.TypeFor[json.RawMessage]()
	secretType = reflect.TypeFor[installer.Secret]()
	textType   = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// Unmarshal reads a document into the value that into points to. Types follow
// encoding/json and its struct tags, for: structs, slices, maps with string
// keys, pointers, strings, booleans, integers, floats, `any`,
// encoding.TextUnmarshaler; besides Value and json.RawMessage, which keep a part
// of the document, and installer.Secret. Names are compared exactly, null is
// refused everywhere, and numbers must fit.
//
// The error is nil or an installer.Faults with all that is wrong, and into is
// then not to be used. A type that cannot be read into panics: that is a
// mistake in the program.
func Unmarshal(raw []byte, into any, o Options) error {
	v, faults := Parse(raw, o)
	if v.kind == Invalid {
		return faults.Err()
	}
	d := decoder{document: raw, refuseUnknown: o.RefuseUnknown, faults: &faults}
	d.decode(v, reflect.ValueOf(into).Elem(), o.Path)
	return faults.Err()
}

type decoder struct {
	document      []byte
	refuseUnknown bool
	faults        *installer.Faults
}

func (d *decoder) decode(v Value, into reflect.Value, path string) {
	if len(*d.faults) >= maxFaults {
		return
	}
	if d.decodeKnown(v, into, path) {
		return
	}
	switch into.Kind() {
	case reflect.Pointer:
		into.Set(reflect.New(into.Type().Elem()))
		d.decode(v, into.Elem(), path)
	case reflect.String:
		if v.is(String, path, d.faults) {
			into.SetString(v.text)
		}
	case reflect.Bool:
		if v.is(Bool, path, d.faults) {
			into.SetBool(v.text == "true")
		}
	case reflect.Struct:
		d.decodeStruct(v, into, path)
	case reflect.Map:
		d.decodeMap(v, into, path)
	case reflect.Slice:
		if items, ok := v.List(path, d.faults); ok {
			into.Set(reflect.MakeSlice(into.Type(), len(items), len(items)))
			for i, item := range items {
				d.decode(item, into.Index(i), Index(path, i))
			}
		}
	default:
		d.decodeNumber(v, into, path)
	}
}

// decodeKnown handles the types that are not read by their kind.
func (d *decoder) decodeKnown(v Value, into reflect.Value, path string) bool {
	switch t := into.Type(); {
	case t == valueType:
		into.Set(reflect.ValueOf(v))
	case t == rawType:
		into.SetBytes(append([]byte(nil), v.Raw(d.document)...))
	case t == secretType:
		if v.is(String, path, d.faults) {
			into.Set(reflect.ValueOf(installer.NewSecret(v.text)))
		}
	case t.Kind() == reflect.Interface && t.NumMethod() == 0:
		var plain any
		_ = json.Unmarshal(v.Raw(d.document), &plain) // Parse has checked it
		if plain != nil {
			into.Set(reflect.ValueOf(plain))
		}
	case reflect.PointerTo(t).Implements(textType):
		if v.is(String, path, d.faults) && into.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(v.text)) != nil {
			d.faults.Add(root(path), "is not a valid %s", t.Name())
		}
	default:
		return false
	}
	return true
}

func (d *decoder) decodeNumber(v Value, into reflect.Value, path string) {
	switch into.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		if v.is(Number, path, d.faults) {
			n, err := strconv.ParseInt(v.text, 10, into.Type().Bits())
			into.SetInt(n)
			d.whole(err, path)
		}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		if v.is(Number, path, d.faults) {
			n, err := strconv.ParseUint(v.text, 10, into.Type().Bits())
			into.SetUint(n)
			d.whole(err, path)
		}
	case reflect.Float32, reflect.Float64:
		if v.is(Number, path, d.faults) {
			n, err := strconv.ParseFloat(v.text, into.Type().Bits())
			into.SetFloat(n)
			d.whole(err, path)
		}
	default:
		panic(fmt.Sprintf("strictjson: cannot read into %s (%s)", into.Type(), root(path)))
	}
}

func (d *decoder) whole(err error, path string) {
	if err != nil {
		d.faults.Add(root(path), "is not a number of the wanted kind, or out of range")
	}
}

func (d *decoder) decodeMap(v Value, into reflect.Value, path string) {
	if !v.is(Object, path, d.faults) {
		return
	}
	into.Set(reflect.MakeMapWithSize(into.Type(), len(v.kids)))
	for i := range v.kids {
		kid := &v.kids[i]
		item := reflect.New(into.Type().Elem()).Elem()
		d.decode(kid.Value, item, Join(path, kid.name))
		into.SetMapIndex(reflect.ValueOf(kid.name).Convert(into.Type().Key()), item)
	}
}

func (d *decoder) decodeStruct(v Value, into reflect.Value, path string) {
	fields, ok := v.Fields(path, d.faults)
	if !ok {
		return
	}
	d.structFields(fields, into)
	fields.End(d.refuseUnknown)
}

// structFields reads the fields of into, those of embedded structs included.
func (d *decoder) structFields(fields *Fields, into reflect.Value) {
	for i := range into.NumField() {
		f := into.Type().Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-":
		case f.Anonymous && name == "" && f.Type.Kind() == reflect.Struct:
			d.structFields(fields, into.Field(i))
		case f.IsExported():
			if name == "" {
				name = f.Name
			}
			if v, found := fields.Get(name); found {
				d.decode(v, into.Field(i), fields.Path(name))
			}
		}
	}
}
