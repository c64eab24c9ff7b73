package strictjson

import "tripod/installer"

// Kind is what a Value is.
type Kind uint8

// Kinds of values. Invalid is the zero Value.
const (
	Invalid Kind = iota
	Null
	Bool
	Number
	String
	Array
	Object
)

// String names k with its article, for messages.
func (k Kind) String() string {
	return [...]string{"nothing", "null", "true or false", "a number", "a string", "an array", "an object"}[k]
}

// Value is one value of a document that Parse has read.
type Value struct {
	kind Kind
	text string // String: decoded; Number, Bool, Null: as written
	kids []member
}

// member is an item of an array or, with a name, a field of an object.
type member struct {
	name string
	Value
}

// Kind returns what v is.
func (v Value) Kind() Kind { return v.kind }

// Text returns a string's content, or a number as it is written.
func (v Value) Text() string { return v.text }

// Field returns an object's field of exactly that name; of duplicates, which
// Parse has reported, the first.
func (v Value) Field(name string) (Value, bool) {
	if v.kind == Object {
		for i := range v.kids {
			if v.kids[i].name == name {
				return v.kids[i].Value, true
			}
		}
	}
	return Value{}, false
}

// List returns an array's items. If v is none that is a fault at path.
func (v Value) List(path string, faults *installer.Faults) ([]Value, bool) {
	if !v.is(Array, path, faults) {
		return nil, false
	}
	items := make([]Value, len(v.kids))
	for i := range v.kids {
		items[i] = v.kids[i].Value
	}
	return items, true
}

// is reports whether v is of kind want, and records a fault if it is not.
func (v Value) is(want Kind, path string, faults *installer.Faults) bool {
	if v.kind != want {
		faults.Add(root(path), "must be %s, not %s", want, v.kind)
	}
	return v.kind == want
}

// Names returns the names of an object's fields, in their order.
func (v Value) Names() []string {
	if v.kind != Object {
		return nil
	}
	names := make([]string, len(v.kids))
	for i := range v.kids {
		names[i] = v.kids[i].name
	}
	return names
}
