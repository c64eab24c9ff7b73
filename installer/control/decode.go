package control

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	jsonv1 "github.com/go-json-experiment/json/v1"

	"tripod/installer"
	"tripod/installer/strictjson"
)

// Bounds of what is decoded. They are looked at before anything is made of the
// body: a megabyte of "{}," would be many of structs.
const (
	// maxLogins of one body: an item has one, and one for sudo; those of hops are shared.
	maxLogins = 2 * maxItems
	// maxNested is how many entries a list within a list has: the longest that is
	// good has the installers that a host may name.
	maxNested = 256
	// maxNestedAll is how many entries all those lists of one body have together:
	// as many as a way of installer.MaxHops with its logins has, for each item.
	maxNestedAll = 2 * installer.MaxHops * maxItems
	// maxDepth of arrays and objects in each other.
	maxDepth = 16
)

// decode reads a body. What is wrong with it as JSON is told all at once, what is
// not of the form that is defined here as far as the first of it.
func decode(body []byte, into any) error {
	var faults installer.Faults
	if !strictjson.Check(body, strictjson.Limits{Depth: maxDepth, NoNull: true, Full: full}, &faults) || len(faults) > 0 {
		return faults
	}
	in := jsontext.NewDecoder(bytes.NewBuffer(body))
	err := json.UnmarshalDecode(in, into, json.RejectUnknownMembers(true), jsonv1.FormatDurationAsNano(true))
	if err == nil {
		return nil
	}
	if wrong, ok := errors.AsType[*json.SemanticError](err); ok && wrong.GoType != nil {
		faults.Add(strictjson.Path(in, wrong.JSONPointer), "%s", mismatch(wrong))
	} else { // what the library says may show a value
		faults.Add("body", "is not the JSON that is defined here: is the client of another version?")
	}
	return faults
}

// full: a list or an object has more entries than any good body's.
func full(i strictjson.Item) string {
	most := maxNested
	switch {
	case i.Depth == 2 && i.Field == "logins":
		most = maxLogins
	case i.Depth == 2:
		most = maxItems
	}
	switch {
	case i.N > most:
		return fmt.Sprintf("must hold at most %d items", most)
	case i.Nested > maxNestedAll:
		return fmt.Sprintf("is one of the lists in %s: they must hold at most %d items together", strictjson.Join("", i.Field), maxNestedAll)
	}
	return ""
}

// mismatch says why a value cannot be decoded; the library would show the value.
func mismatch(err *json.SemanticError) string {
	want := jsontext.KindNumber
	switch err.GoType.Kind() {
	case reflect.String:
		want = jsontext.KindString
	case reflect.Bool:
		want = jsontext.KindTrue
	case reflect.Slice:
		want = jsontext.KindBeginArray
	case reflect.Map, reflect.Struct:
		want = jsontext.KindBeginObject
	}
	switch {
	case errors.Is(err, json.ErrUnknownName):
		return "is not a known field: is the client newer than the daemon?"
	case err.GoType == reflect.TypeFor[time.Time]():
		return "must be a time (RFC 3339)"
	case want == err.JSONKind:
		return "must be a whole number that fits"
	}
	return fmt.Sprintf("must be %s, not %s", strictjson.Kinds[want], strictjson.Kinds[err.JSONKind])
}
