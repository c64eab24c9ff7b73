package strictjson

import (
	"strings"

	"tripod/installer"
)

// Fields reads the fields of one object and collects what is wrong with them,
// each with its path. A method for a type returns false both for a field that
// is absent, which is no fault by itself, and for one of another type, which is.
type Fields struct {
	object Value
	path   string
	faults *installer.Faults
	asked  []string
}

// Fields starts reading v. If v is no object that is a fault at path.
func (v Value) Fields(path string, faults *installer.Faults) (*Fields, bool) {
	if !v.is(Object, path, faults) {
		return nil, false
	}
	return &Fields{object: v, path: path, faults: faults}, true
}

// Path returns the path of a field.
func (f *Fields) Path(name string) string { return Join(f.path, name) }

// Fault records what is wrong with a field. It must not tell secret values.
func (f *Fields) Fault(name, format string, args ...any) {
	f.faults.Add(f.Path(name), format, args...)
}

// Get returns a field of any kind.
func (f *Fields) Get(name string) (Value, bool) {
	f.asked = append(f.asked, name)
	return f.object.Field(name)
}

// Has reports whether the field is there, whatever its kind.
func (f *Fields) Has(name string) bool {
	_, found := f.object.Field(name)
	return found
}

// Need records a fault if the field is absent.
func (f *Fields) Need(name string) bool {
	found := f.Has(name)
	if !found {
		f.Fault(name, "is missing")
	}
	return found
}

// String returns a string field.
func (f *Fields) String(name string) (string, bool) {
	v, found := f.Get(name)
	if !found || !v.is(String, f.Path(name), f.faults) {
		return "", false
	}
	return v.text, true
}

// Bool returns a boolean field.
func (f *Fields) Bool(name string) (value, ok bool) {
	v, found := f.Get(name)
	if !found || !v.is(Bool, f.Path(name), f.faults) {
		return false, false
	}
	return v.text == "true", true
}

// List returns the items of an array field.
func (f *Fields) List(name string) ([]Value, bool) {
	v, found := f.Get(name)
	if !found {
		return nil, false
	}
	return v.List(f.Path(name), f.faults)
}

// End looks at the fields that nobody has asked for: one that differs from an
// asked-for one in case only is a fault, and with refuseUnknown so is any other.
func (f *Fields) End(refuseUnknown bool) {
	for i := range f.object.kids {
		name := f.object.kids[i].name
		near, known := "", false
		for _, asked := range f.asked {
			if known = asked == name; known {
				break
			}
			if strings.EqualFold(asked, name) {
				near = asked
			}
		}
		switch {
		case known:
		case near != "":
			f.Fault(name, "is written %s", near)
		case refuseUnknown:
			f.Fault(name, "is not a known field")
		}
	}
}
