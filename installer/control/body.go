package control

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
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
	// maxSecrets of one body: an item has a login, a password for sudo, two keys of the agent, and a few
	// variables; those of hops are shared.
	maxSecrets = 8 * maxItems
	// maxNested is how many entries a list within a list has: the longest that is
	// good has the jump hosts that a host may name.
	maxNested = 256
	// maxNestedAll is how many entries all those lists of one body have together:
	// as many as a route of installer.MaxHops with its logins has, for each item.
	maxNestedAll = 2 * installer.MaxHops * maxItems
	// maxDepth of arrays and objects in each other.
	maxDepth = 16
)

// body is a request as JSON. Many hosts share one secret: each is sent once, before all
// else, and stands elsewhere as its index.
type body[In any] struct {
	Secrets []string `json:"secrets,omitzero"`
	In      In       `json:",embed"`
}

// dialect is how encoding/json has it where the two differ: a RouteChoice that names
// nothing is not left out, say.
var dialect = json.JoinOptions(jsonv1.FormatDurationAsNano(true), jsonv1.OmitEmptyWithLegacySemantics(true))

// encode makes a body. It is the one place that sends secrets.
func encode(in any) ([]byte, error) {
	var secrets []string
	index := map[string]int{}
	fields, err := json.Marshal(in, dialect, json.WithMarshalers(json.MarshalToFunc(
		func(out *jsontext.Encoder, s installer.Secret) error {
			i, known := index[s.Reveal()]
			if !known {
				i = len(secrets)
				index[s.Reveal()] = i
				secrets = append(secrets, s.Reveal())
			}
			return out.WriteToken(jsontext.Int(int64(i)))
		})))
	if err != nil || len(secrets) == 0 {
		return fields, err
	}
	table, err := json.Marshal(secrets)
	return slices.Concat([]byte(`{"secrets":`), table, []byte(","), fields[1:]), err
}

// errIndex: a secret is named that is not there.
var errIndex = errors.New("is no index of the secrets before it")

// decode reads a body. What is wrong with it as JSON is reported all at once, what is
// not of the form that is defined here as far as the first of it.
func decode[In any](raw []byte) (In, error) {
	var faults installer.Faults
	var b body[In]
	if !strictjson.Check(raw, strictjson.Limits{Depth: maxDepth, NoNull: true, Full: tooMany}, &faults) || len(faults) > 0 {
		return b.In, faults
	}
	var shared []installer.Secret // one for all that have it
	secret := func(d *jsontext.Decoder, s *installer.Secret) error {
		var i int
		if err := json.UnmarshalDecode(d, &i); err != nil {
			return err
		}
		for n := len(shared); n < len(b.Secrets); n++ {
			shared = append(shared, installer.NewSecret(b.Secrets[n]))
		}
		if i < 0 || i >= len(shared) {
			return errIndex
		}
		*s = shared[i]
		return nil
	}
	in := jsontext.NewDecoder(bytes.NewBuffer(raw))
	err := json.UnmarshalDecode(in, &b, dialect, json.RejectUnknownMembers(true),
		json.WithUnmarshalers(json.UnmarshalFromFunc(secret)))
	if err == nil {
		return b.In, nil
	}
	if wrong, ok := errors.AsType[*json.SemanticError](err); ok && wrong.GoType != nil {
		faults.Add(strictjson.Path(in, wrong.JSONPointer), "%s", mismatch(wrong))
	} else { // what the library says may show a value
		faults.Add("body", "is not the JSON that is defined here: is the client of another version?")
	}
	return b.In, faults
}

// tooMany: a list or an object has more entries than any good body's.
func tooMany(i strictjson.Item) string {
	most := maxNested
	switch {
	case i.Depth == 2 && i.Field == "secrets":
		most = maxSecrets
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
		if err.GoType.Elem().Kind() == reflect.Uint8 {
			want = jsontext.KindString
		}
	case reflect.Map, reflect.Struct:
		want = jsontext.KindBeginObject
	}
	switch {
	case errors.Is(err, json.ErrUnknownName):
		return "is not a known field: is the client newer than the daemon?"
	case errors.Is(err, errIndex):
		return errIndex.Error()
	case err.GoType == reflect.TypeFor[time.Time]():
		return "must be a time (RFC 3339)"
	case want == err.JSONKind && want == jsontext.KindString:
		return "must be base64"
	case want == err.JSONKind:
		return "must be a whole number that fits"
	}
	return fmt.Sprintf("must be %s, not %s", strictjson.Kinds[want], strictjson.Kinds[err.JSONKind])
}
