package strictjson

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat(`[`, 40) + strings.Repeat(`]`, 40)
	for name, tc := range map[string]struct{ in, want string }{
		"good":                    {`{"a":[1,-0.5e+3,true,false,null,"x\n\u00e9\ud83d\ude00"],"b":{}}`, ""},
		"scalar":                  {` 1 `, ""},
		"empty":                   {" \n", "document: is empty"},
		"byte order mark":         {"\ufeff{}", "document: begins with a byte order mark: save it as plain UTF-8"},
		"data after":              {`{} {}`, "document: has data after its end"},
		"data after, a NUL":       {"{}\x00", "document: has data after its end"},
		"duplicate key":           {`{"a":1,"a":2}`, "a: the key is there twice"},
		"duplicate by escape":     {`{"a":1,"\u0061":2}`, "a: the key is there twice"},
		"other case":              {`{"h":[{"ip":1,"IP":2}]}`, "h[0].IP: the key differs from another one, ip, in case only"},
		"other case, Kelvin sign": {`{"key":1,"\u212aey":2}`, `["\u212aey"]: the key differs from another one, key, in case only`},
		"NUL in a string":         {`{"a":"x\u0000"}`, "a: holds a NUL character"},
		"raw NUL in a string":     {"{\"a\":\"x\x00\"}", "a: is not JSON at line 1, column 8: a control character in a string must be escaped"},
		"bad UTF-8":               {"{\"a\":\"x\xff\"}", "a: holds bytes that are not UTF-8"},
		"bad UTF-8 in a key":      {"{\"q\":{\"x\xff\":1}}", "q (a key): holds bytes that are not UTF-8"},
		"overlong UTF-8":          {"[\"\xc0\x80\"]", "[0]: holds bytes that are not UTF-8"},
		"surrogate in UTF-8":      {"[\"\xed\xa0\x80\"]", "[0]: holds bytes that are not UTF-8"},
		"high half":               {`["\ud83d"]`, "[0]: holds one half of a surrogate pair"},
		"low half":                {`["\ude00x"]`, "[0]: holds one half of a surrogate pair"},
		"two high halves":         {`["\ud83d\ud83d\ude00"]`, "[0]: holds one half of a surrogate pair"},
		"bad second escape":       {`["\ud83d\uzzzz"]`, "[0]: is not JSON at line 1, column 11: expected an escape sequence that JSON knows"},
		"bad escape":              {`["\x41"]`, "[0]: is not JSON at line 1, column 4: expected an escape sequence that JSON knows"},
		"depth":                   {deep, strings.Repeat("[0]", 32) + ": is nested more than 32 deep"},
		"huge number":             {`{"a":1e400}`, "a: the number is out of range"},
		"leading zero":            {`[01]`, "[0]: is not JSON at line 1, column 3: expected ',' or ']'"},
		"plus":                    {`[+1]`, "[0]: is not JSON at line 1, column 2: expected a value"},
		"lone minus":              {`[-]`, "[0]: is not JSON at line 1, column 3: expected a digit"},
		"no fraction":             {`[1.]`, "[0]: is not JSON at line 1, column 4: expected a digit"},
		"trailing comma":          {`[1,]`, "[1]: is not JSON at line 1, column 4: expected a value"},
		"trailing comma, object":  {`{"a":1,}`, "document: is not JSON at line 1, column 8: expected a key in double quotes"},
		"unquoted key":            {"{\n a:1}", "document: is not JSON at line 2, column 2: expected a key in double quotes"},
		"no colon":                {`{"a" 1}`, "a: is not JSON at line 1, column 6: expected ':'"},
		"cut":                     {"{\"a\":\n[1,", "a[1]: ends too early, at line 2"},
		"cut in a string":         {`{"password":"s3cr`, "password: ends too early, at line 1"},
		"quote in a password":     {`{"password":"s3"cr"}`, "password: is not JSON at line 1, column 17: expected ',' or '}'"},
		"odd key":                 {`{"a b":1,"a b":2}`, `["a b"]: the key is there twice`},
		"all of them at once":     {`{"a":1e999,"b":"\ud800","b":2}`, "a: the number is out of range\nb: holds one half of a surrogate pair\nb: the key is there twice"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			faults := Check([]byte(tc.in), Options{})
			assert.Equal(t, tc.want, faults.Error())
			assert.NotContains(t, faults.Error(), "s3")
		})
	}
}

func TestPathPrefix(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "meta[1].port: the number is out of range", Check([]byte(`[{},{"port":1e999}]`), Options{Path: "meta"}).Error())
	assert.Equal(t, "meta: is empty", Check(nil, Options{Path: "meta"}).Error())
}

func TestManyKeys(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for i := range 30 {
		b.WriteString(`"key` + strings.Repeat("x", i) + `":1,`)
	}
	assert.Empty(t, Check([]byte(`{`+b.String()+`"z":1}`), Options{}))
	assert.Equal(t, "KEYxx: the key differs from another one, keyxx, in case only", Check([]byte(`{`+b.String()+`"KEYxx":1}`), Options{}).Error())
	assert.Equal(t, "key: the key is there twice", Check([]byte(`{`+b.String()+`"key":1}`), Options{}).Error())
}

// A body full of faults, or of values, is not read to its end.
func TestBounds(t *testing.T) {
	t.Parallel()
	faults := Check([]byte(`[`+strings.Repeat(`1e999,`, 10_000)+`1]`), Options{})
	assert.Len(t, faults, maxFaults+1)
	assert.Equal(t, "too many faults; the rest is not shown", faults[maxFaults].What)

	faults = Check([]byte(`[`+strings.Repeat(`1,`, 10)+`1]`), Options{MaxValues: 5})
	assert.Equal(t, "[4]: has more than 5 values", faults.Error())
}

func TestUnmarshal(t *testing.T) {
	t.Parallel()
	type inner struct {
		Port uint16           `json:"port"`
		Pass installer.Secret `json:"password"`
	}
	type Common struct {
		Type installer.Type `json:"type"`
	}
	type outer struct {
		Common
		IDs   []string        `json:"ids"`
		Pem   *bool           `json:"pem,omitempty"`
		Hosts []inner         `json:"hosts"`
		Raw   json.RawMessage `json:"raw"`
		Tree  Value           `json:"tree"`
		Any   any             `json:"any"`
		Map   map[string]int  `json:"map"`
		Ratio float64         `json:"ratio"`
		Skip  string          `json:"-"`
		small string
	}
	var got outer
	err := Unmarshal([]byte(`{"type":"INSTALL","ids":["a","b"],"pem":true,"hosts":[{"port":22,"password":" p\u00e9 "}],
		"raw": [1, 2],"tree":"x","any":{"k":1},"map":{"n":-3},"ratio":0.5,"other":1}`), &got, Options{})
	require.NoError(t, err)
	assert.Equal(t, installer.Install, got.Type)
	assert.Equal(t, []string{"a", "b"}, got.IDs)
	require.NotNil(t, got.Pem)
	assert.True(t, *got.Pem)
	assert.Equal(t, []inner{{22, installer.NewSecret(" pé ")}}, got.Hosts)
	assert.JSONEq(t, `[1,2]`, string(got.Raw))
	assert.Equal(t, "x", got.Tree.Text())
	assert.Equal(t, map[string]any{"k": 1.0}, got.Any)
	assert.Equal(t, map[string]int{"n": -3}, got.Map)
	assert.InDelta(t, 0.5, got.Ratio, 0)
	assert.Empty(t, got.small)

	err = Unmarshal([]byte(`{"type":1,"ids":["a",2,null],"pem":"yes","hosts":[{"port":65536,"password":1234567},{"port":"22"},{"Port":22},3],
		"map":[],"ratio":null,"Skip":"x","IDS":1,"other":1}`), &got, Options{RefuseUnknown: true})
	faults, ok := err.(installer.Faults)
	require.True(t, ok)
	assert.Equal(t, strings.Join([]string{
		"IDS: the key differs from another one, ids, in case only",
		"type: must be a string, not a number",
		"ids[1]: must be a string, not a number",
		"ids[2]: must be a string, not null",
		"pem: must be true or false, not a string",
		"hosts[0].port: is not a number of the wanted kind, or out of range",
		"hosts[0].password: must be a string, not a number",
		"hosts[1].port: must be a number, not a string",
		"hosts[2].Port: is written port",
		"hosts[3]: must be an object, not a number",
		"map: must be an object, not an array",
		"ratio: must be a number, not null",
		"Skip: is not a known field",
		"IDS: is written ids",
		"other: is not a known field",
	}, "\n"), faults.Error())
	assert.NotContains(t, faults.Error(), "1234567")

	require.EqualError(t, Unmarshal([]byte(`null`), &got, Options{}), "document: must be an object, not null")
	require.EqualError(t, Unmarshal([]byte(`{`), &got, Options{}), "document: ends too early, at line 1")
	assert.Panics(t, func() { _ = Unmarshal([]byte(`1`), new(chan int), Options{}) })
}

// What is accepted must be what encoding/json understands too; what is refused
// for its syntax must be no JSON.
func FuzzParse(f *testing.F) {
	for _, s := range []string{`{"a":[1,-0.5e+3,true,null,"x\n\ud83d\ude00"]}`, `{"a":1,"A":2}`, `["\ud83d\ud83d\ude00"]`, "[\"\xff\"]", `1e400`, `[[[[]]]]`, "\ufeff1", `"\u0000"`, `{"":""}`, `-0`, `[1,]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		v, faults := Parse(raw, Options{MaxDepth: 1000})
		if len(faults) > 0 {
			if v.Kind() == Invalid && json.Valid(raw) {
				t.Fatalf("refused good syntax: %v", faults)
			}
			return
		}
		if !json.Valid(raw) {
			t.Fatal("accepted what is no JSON")
		}
		var want any
		require.NoError(t, json.Unmarshal(raw, &want))
		var got any
		require.NoError(t, Unmarshal(raw, &got, Options{MaxDepth: 1000}))
		require.Equal(t, want, got)
		require.Equal(t, want, plain(v))
	})
}

// plain is v as encoding/json would have it.
func plain(v Value) any {
	switch v.kind {
	case Bool:
		return v.text == "true"
	case Number:
		var f float64
		_ = json.Unmarshal([]byte(v.text), &f)
		return f
	case String:
		return v.text
	case Array:
		items := []any{}
		for _, kid := range v.kids {
			items = append(items, plain(kid.Value))
		}
		return items
	case Object:
		fields := map[string]any{}
		for _, kid := range v.kids {
			fields[kid.name] = plain(kid.Value)
		}
		return fields
	}
	return nil
}
