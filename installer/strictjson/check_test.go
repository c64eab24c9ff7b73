package strictjson_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tripod/installer/strictjson"
)

// shaped has what a document can be made of.
type shaped struct {
	inner
	Text   string            `json:"text"`
	Small  uint8             `json:"small"`
	Signed *int              `json:"signed,omitempty"`
	Real   float64           `json:"real"`
	Yes    bool              `json:"yes"`
	At     time.Time         `json:"at,omitzero"`
	List   []inner           `json:"list"`
	Map    map[string]string `json:"map"`
	Hidden string            `json:"-"`
}

type inner struct {
	Name string `json:"name"`
	Text string `json:"text"` // the outer one goes first
}

var shape = strictjson.ShapeOf(shaped{})

func check(doc string) string {
	if err := strictjson.Check([]byte(doc), shape, "unknown %s", strictjson.Options{}).Err(); err != nil {
		return err.Error()
	}
	return ""
}

func TestCheck(t *testing.T) {
	t.Parallel()
	require.Empty(t, check(` {"name":"a","text":"é \u0041","small":255,"signed":-1,"real":1.5e3,"yes":true,
		"at":"2026-01-02T03:04:05Z","list":[{"name":"b"},{}],"map":{"a":"b","c":"d"}} `))
	for doc, want := range map[string]string{
		`{"small":256}`:                    "small: must be a whole number that fits",
		`{"small":1e1}`:                    "small: must be a whole number that fits",
		`{"signed":null}`:                  "signed: must be a number, not null",
		`{"real":"1"}`:                     "real: must be a number, not a string",
		`{"yes":1}`:                        "yes: must be true or false, not a number",
		`{"yes":tru}`:                      "yes: is not JSON at line 1, column 8: expected a value",
		`{"at":"2026"}`:                    "at: must be a time (RFC 3339)",
		`{"hidden":"","Hidden":""}`:        "hidden: unknown \"hidden\"\nHidden: the key differs from another one, hidden, in case only",
		`{"list":[{},{"x y":[{"a":[]}]}]}`: `list[1]["x y"]: unknown "x y"`,
		`{"list":[{"NAME":1,"NAME":2}]}`:   "list[0].NAME: is written name\nlist[0].NAME: the key is there twice",
		`{"map":{"a":"b","A":"c"}}`:        "map.A: the key differs from another one, a, in case only",
		`{"text":"a","te\u0078t":"b"}`:     "text: the key is there twice",
		`{"text":3,"text":"b"}`:            "text: must be a string, not a number\ntext: the key is there twice",
		`{"list":[{},]}`:                   "list[1]: is not JSON at line 1, column 13: expected a value",
	} {
		require.Equal(t, want, check(doc), doc)
	}
}

// FuzzCheck: what Parse refuses is refused too, and what is let in is decoded by
// encoding/json without a fault.
func FuzzCheck(f *testing.F) {
	for _, doc := range []string{`{}`, `{"text":"a","TEXT":"b"}`, `{"list":[{"name":"\u0000"}],"map":{"a":"b"}}`, `{"small":1,"at":"2026-01-02T03:04:05Z"}`, `[`, `{"zz":{"a":1,"A":2}}`, `{"real":1e400}`} {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		_, parsed := strictjson.Parse(doc, strictjson.Options{})
		checked := strictjson.Check(doc, shape, "unknown %s", strictjson.Options{})
		if len(parsed) > 0 {
			require.NotEmpty(t, checked, "%s", parsed)
		}
		if len(checked) == 0 {
			require.NoError(t, json.Unmarshal(doc, new(shaped)))
		}
	})
}
