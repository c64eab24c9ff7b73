package strictjson

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"tripod/installer"
)

// Kinds are what messages call the kinds of values.
var Kinds = map[jsontext.Kind]string{
	jsontext.KindInvalid: "nothing", jsontext.KindNull: "null", jsontext.KindTrue: "true or false", jsontext.KindFalse: "true or false",
	jsontext.KindNumber: "a number", jsontext.KindString: "a string", jsontext.KindBeginArray: "an array", jsontext.KindBeginObject: "an object",
}

// Object is the members of an object, not decoded.
type Object = map[string]jsontext.Value

// Decode makes a T of a value that Check has read, or says what is wrong.
func Decode[T string | bool | []jsontext.Value | Object](raw jsontext.Value) (v T, wrong string) {
	if raw.Kind() != jsontext.KindNull && json.Unmarshal(raw, &v, lenient) == nil {
		return v, ""
	}
	want, _ := json.Marshal(*new(T))
	return v, "must be " + Kinds[jsontext.Value(want).Kind()] + ", not " + Kinds[raw.Kind()]
}

// Fields reads the members of one object and collects what is wrong with them. Where
// one is absent or of another kind, its zero value is read.
type Fields struct {
	members Object
	path    string
	faults  *installer.Faults
	first   int // of the faults that are this object's
	asked   []string
}

// FieldsOf starts reading an object. If raw is none that is a fault at path.
func FieldsOf(raw jsontext.Value, path string, faults *installer.Faults) (*Fields, bool) {
	members, wrong := Decode[Object](raw)
	if wrong != "" {
		faults.Add(cmp.Or(path, "document"), "%s", wrong)
	}
	return &Fields{members: members, path: path, faults: faults, first: len(*faults)}, wrong == ""
}

// Read reads a member; ok: it is there, and a T.
func Read[T string | bool | []jsontext.Value | Object](f *Fields, name string) (v T, ok bool) {
	raw := f.Get(name)
	if raw == nil {
		return v, false
	}
	v, wrong := Decode[T](raw)
	if wrong != "" {
		f.Fault(name, "%s", wrong)
	}
	return v, wrong == ""
}

// Strings reads an array of strings, in which the place of another value is empty.
func (f *Fields) Strings(name string) []string {
	items, _ := Read[[]jsontext.Value](f, name)
	var all []string
	for i, item := range items {
		text, wrong := Decode[string](item)
		if wrong != "" {
			f.faults.Add(Index(f.Path(name), i), "%s", wrong)
		}
		all = append(all, text)
	}
	return all
}

// Object starts reading a member that is an object.
func (f *Fields) Object(name string) (*Fields, bool) {
	raw := f.Get(name)
	if raw == nil {
		return nil, false
	}
	return FieldsOf(raw, f.Path(name), f.faults)
}

// Names of the members, sorted.
func (f *Fields) Names() []string { return slices.Sorted(maps.Keys(f.members)) }

// Get returns a member of any kind; nil: absent.
func (f *Fields) Get(name string) jsontext.Value {
	f.asked = append(f.asked, name)
	return f.members[name]
}

// Path returns the path of a member.
func (f *Fields) Path(name string) string { return Join(f.path, name) }

// Fault records what is wrong with a member. It must not tell secret values.
func (f *Fields) Fault(name, format string, args ...any) {
	f.faults.Add(f.Path(name), format, args...)
}

// Add records faults that were found elsewhere.
func (f *Fields) Add(found installer.Faults) { *f.faults = append(*f.faults, found...) }

// Untold is path if nothing was found wrong there so far, else "".
func (f *Fields) Untold(path string) string {
	if slices.ContainsFunc((*f.faults)[f.first:], func(found installer.Fault) bool { return found.Where == path }) {
		return ""
	}
	return path
}

// Has reports whether the member is there, whatever its kind.
func (f *Fields) Has(name string) bool { return f.members[name] != nil }

// Need records a fault if the member is absent.
func (f *Fields) Need(name string) {
	if !f.Has(name) {
		f.Fault(name, "is missing")
	}
}

// End looks at the members that nobody has asked for: one that differs from an
// asked-for one in case only is a fault, and with refuseUnknown so is any other.
func (f *Fields) End(refuseUnknown bool) {
	for _, name := range f.Names() {
		near := slices.IndexFunc(f.asked, func(asked string) bool { return strings.EqualFold(asked, name) })
		switch {
		case slices.Contains(f.asked, name):
		case near >= 0:
			f.Fault(name, "is written %s", f.asked[near])
		case refuseUnknown:
			f.Fault(name, "is not a known field")
		}
	}
}
