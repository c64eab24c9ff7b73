package strictjson_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/strictjson"
)

func check(doc string, l strictjson.Limits) (string, bool) {
	var faults installer.Faults
	readable := strictjson.Check([]byte(doc), l, &faults)
	return faults.Error(), readable
}

// TestCheck: what is wrong is told by its path and its place, and nothing of it is shown.
func TestCheck(t *testing.T) {
	t.Parallel()
	const utf8, surrogate = "holds bytes that are not UTF-8, or one half of a surrogate pair", "holds bytes that are not UTF-8, or one half of a surrogate pair"
	for name, tc := range map[string]struct{ in, want string }{
		"good":                   {`{"a":[1,-0.5e+3,true,false,null,"x\n\u00e9\ud83d\ude00\ufffd"],"b":{}}`, ""},
		"scalar":                 {` 1 `, ""},
		"empty":                  {" \n", "document: is empty"},
		"byte order mark":        {"\ufeff{}", "document: begins with a byte order mark: save it as plain UTF-8"},
		"data after":             {`{} {}`, "document: has data after its end"},
		"data after, a NUL":      {"{}\x00", "document: has data after its end"},
		"duplicate key":          {`{"a":1,"a":2}`, "a: the key is there twice"},
		"duplicate by escape":    {`{"a":1,"\u0061":2}`, "a: the key is there twice"},
		"duplicates everywhere":  {`{"a":[{"b":1,"b":2},{"b":1,"c":1,"c":1}],"d":{"a":1},"d":"\ud800"}`, "a[0].b: the key is there twice\na[1].c: the key is there twice\nd: the key is there twice\nd: " + surrogate},
		"other case":             {`{"h":[{"ip":1,"IP":2}]}`, ""}, // for whom knows the fields to refuse
		"NUL in a string":        {`{"a":"x\u0000"}`, "a: holds a NUL character"},
		"NUL in a key":           {`{"x\u0000":[1e999]}`, "document: has a key that holds a NUL character\n" + `["x\x00"][0]: the number is out of range`},
		"raw NUL in a string":    {"{\"a\":\"s3\x00\"}", "a: is not JSON at line 1, column 9: a control character in a string must be escaped"},
		"line in a string":       {"{\n\"a\":\"s3\n\"}", "a: is not JSON at line 2, column 8: a control character in a string must be escaped"},
		"bad UTF-8":              {"{\"a\":\"s3\xff\"}", "a: " + utf8},
		"bad UTF-8 in a key":     {"{\"q\":{\"x\xff\":1}}", "q: has a key that " + utf8},
		"overlong UTF-8":         {"[\"\xc0\x80\"]", "[0]: " + utf8},
		"surrogate in UTF-8":     {"[\"\xed\xa0\x80\"]", "[0]: " + utf8},
		"high half":              {`["s3\ud83d"]`, "[0]: " + surrogate},
		"low half":               {`["\ude00x"]`, "[0]: " + surrogate},
		"two high halves":        {`["\ud83d\ud83d\ude00"]`, "[0]: " + surrogate},
		"bad escape":             {`["s3\x41"]`, "[0]: is not JSON at line 1, column 5"},
		"depth":                  {strings.Repeat(`[`, 40) + strings.Repeat(`]`, 40), strings.Repeat("[0]", 32) + ": is nested more than 32 deep"},
		"huge number":            {`{"a":1e400}`, "a: the number is out of range"},
		"leading zero":           {`[01]`, "document: is not JSON at line 1, column 3"},
		"plus":                   {`[+1]`, "[0]: is not JSON at line 1, column 2"},
		"lone minus":             {`[-]`, "[0]: is not JSON at line 1, column 3"},
		"trailing comma":         {`[1,]`, "document: is not JSON at line 1, column 3"},
		"trailing comma, object": {`{"a":1,}`, "document: is not JSON at line 1, column 7"},
		"unquoted key":           {"{\n s3:1}", "document: is not JSON at line 2, column 2"},
		"cut":                    {"{\"a\":\n[1,", "a: ends too early"},
		"cut in a string":        {`{"password":"s3cr`, "password: ends too early"},
		"quote in a password":    {`{"password":"s3"cr"}`, "document: is not JSON at line 1, column 17"},
		"word in a password":     {`{"password":truS3cret}`, "password: is not JSON at line 1, column 16"},
		"odd key":                {`{"a b":1e999,"a\u001b":1e999,"":1e999}`, `["a b"]: the number is out of range` + "\n" + `["a\x1b"]: the number is out of range` + "\n" + `[""]: the number is out of range`},
		"long key":               {`{"` + strings.Repeat("k", 99) + `":1e999}`, `["` + strings.Repeat("k", 64) + `"]: the number is out of range`},
		"no colon":               {`{"a":{"s3cret"}}`, "a: is not JSON at line 1, column 15"},
		"no colon, cut":          {`{"a":{"s3cret" `, "a: ends too early"},
		"no colon, NUL":          {`{"a":{"s3\u0000"}}`, "a: has a key that holds a NUL character\na: is not JSON at line 1, column 17"},
		"keys like pointers":     {`{"a/b~":[{"0":1e999}]}`, `["a/b~"][0].0: the number is out of range`},
		"all of them at once":    {`{"a":1e999,"b":"\ud800","b":2,"c":[1,2}`, "a: the number is out of range\nb: " + surrogate + "\nb: the key is there twice\nc: is not JSON at line 1, column 39"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			told, _ := check(tc.in, strictjson.Limits{Depth: 32})
			assert.Equal(t, tc.want, told)
			assert.NotContains(t, strings.ToLower(told), "s3")
		})
	}
}

func TestNoNull(t *testing.T) {
	t.Parallel()
	told, readable := check(`{"a":null,"b":[null]}`, strictjson.Limits{Depth: 2, NoNull: true})
	assert.Equal(t, "a: must not be null\nb[0]: must not be null", told)
	assert.True(t, readable)
}

// TestItems: whoever counts is told of every value, where it is, and stops the reading.
func TestItems(t *testing.T) {
	t.Parallel()
	var seen []string
	l := strictjson.Limits{Depth: 9, Full: func(i strictjson.Item) string {
		seen = append(seen, fmt.Sprint(i.Field, " ", i.Depth, i.N, " ", i.Values, i.Nested))
		if i.Field == "b" && i.Depth == 3 && i.N == 2 {
			return "is enough"
		}
		return ""
	}}
	told, readable := check(`{"a":[1,{"x":2}],"b":{"y":[3,4 no JSON any more`, l)
	assert.Equal(t, "b.y: is enough", told)
	assert.False(t, readable)
	assert.Equal(t, []string{"a 1 1 1 0", "a 2 1 2 0", "a 2 2 3 0", "a 3 1 4 0", "b 1 2 5 0", "b 2 1 6 0", "b 3 1 7 1", "b 3 2 8 2"}, seen)
}

// TestManyFaults: a body full of faults is not read to its end.
func TestManyFaults(t *testing.T) {
	t.Parallel()
	told, readable := check(`[`+strings.Repeat(`1e999,`, 10_000)+`1]`, strictjson.Limits{Depth: 1})
	lines := strings.Split(told, "\n")
	assert.Len(t, lines, 101)
	assert.Equal(t, "document: too many faults; the rest is not shown", lines[100])
	assert.False(t, readable)
}

// FuzzCheck: what is let in is what encoding/json understands, what is not
// readable is no JSON or deeper than allowed, and faults show no value.
func FuzzCheck(f *testing.F) {
	for _, s := range []string{`{"a":[1,-0.5e+3,true,null,"x\n\ud83d\ude00"]}`, `{"a":1,"a":2}`, `["\ud83d\ud83d\ude00"]`, "[\"\xff\"]", `1e400`, `[[[[]]]]`, "\ufeff1", `"\u0000"`, `{"":""}`, `-0`, `[1,]`, `{"a":"Zk7QwX`, `{"a":Zk7QwX}`, "[\"Zk7QwX\n\"]"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		told, readable := check(string(doc), strictjson.Limits{Depth: 1000})
		for line := range strings.Lines(told) {
			_, what, _ := strings.Cut(line, ": ")
			require.NotContains(t, what, "Zk7QwX")
		}
		switch {
		case told == "":
			var v any
			require.True(t, readable)
			require.NoError(t, json.Unmarshal(doc, &v))
			require.NoError(t, jsontextUnmarshal(doc))
		case !readable && json.Valid(doc):
			require.Regexp(t, "nested more than|too many faults", told)
		}
	})
}

// jsontextUnmarshal reads with jsontext's own strictness.
func jsontextUnmarshal(doc []byte) error {
	v := jsontext.Value(doc)
	return v.Compact()
}
