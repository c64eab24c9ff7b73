package strictjson

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
)

func check(raw string, o Options) installer.Faults {
	_, faults := Parse([]byte(raw), o)
	return faults
}

func TestParse(t *testing.T) {
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
			faults := check(tc.in, Options{})
			assert.Equal(t, tc.want, faults.Error())
			assert.NotContains(t, faults.Error(), "s3")
		})
	}
}

func TestPathPrefix(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "meta[1].port: the number is out of range", check(`[{},{"port":1e999}]`, Options{Path: "meta"}).Error())
	assert.Equal(t, "meta: is empty", check("", Options{Path: "meta"}).Error())
}

func TestManyKeys(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for i := range 30 {
		b.WriteString(`"key` + strings.Repeat("x", i) + `":1,`)
	}
	assert.Empty(t, check(`{`+b.String()+`"z":1}`, Options{}))
	assert.Equal(t, "KEYxx: the key differs from another one, keyxx, in case only", check(`{`+b.String()+`"KEYxx":1}`, Options{}).Error())
	assert.Equal(t, "key: the key is there twice", check(`{`+b.String()+`"key":1}`, Options{}).Error())
}

// A body full of faults, or of values, is not read to its end.
func TestBounds(t *testing.T) {
	t.Parallel()
	faults := check(`[`+strings.Repeat(`1e999,`, 10_000)+`1]`, Options{})
	assert.Len(t, faults, maxFaults+1)
	assert.Equal(t, "too many faults; the rest is not shown", faults[maxFaults].What)

	faults = check(`[`+strings.Repeat(`1,`, 10)+`1]`, Options{MaxValues: 5})
	assert.Equal(t, "[4]: has more than 5 values", faults.Error())
}

func TestFields(t *testing.T) {
	t.Parallel()
	v, faults := Parse([]byte(`{"s":" x\u00e9 ","n":22,"b":true,"l":[1,"2"],"o":{"k":null},"extra":1,"Late":2}`), Options{})
	require.Empty(t, faults)
	f, ok := v.Fields("body", &faults)
	require.True(t, ok)
	s, ok := f.String("s")
	assert.True(t, ok)
	assert.Equal(t, " xé ", s)
	b, ok := f.Bool("b")
	assert.True(t, ok)
	assert.True(t, b)
	items, ok := f.List("l")
	assert.True(t, ok)
	require.Len(t, items, 2)
	assert.Equal(t, Number, items[0].Kind())
	assert.Equal(t, "2", items[1].Text())
	n, found := f.Get("n")
	assert.True(t, found)
	assert.Equal(t, "22", n.Text())
	assert.True(t, f.Has("o"))
	_, found = n.Field("x")
	assert.False(t, found)
	assert.Empty(t, faults)

	for _, name := range []string{"absent", "late"} {
		_, ok = f.String(name)
		assert.False(t, ok)
		_, ok = f.Bool(name)
		assert.False(t, ok)
		_, ok = f.List(name)
		assert.False(t, ok)
	}
	assert.Empty(t, faults, "an absent field is no fault")
	assert.False(t, f.Need("absent"))
	_, _ = f.String("n")
	_, _ = f.Bool("s")
	_, _ = f.List("o")
	_, _ = items[0].Fields(Index(f.Path("l"), 0), &faults)
	f.End(true)
	assert.Equal(t, strings.Join([]string{
		"body.absent: is missing",
		"body.n: must be a string, not a number",
		"body.s: must be true or false, not a string",
		"body.l[0]: must be an object, not a number",
		"body.extra: is not a known field",
		"body.Late: is written late",
	}, "\n"), strings.Replace(faults.Error(), "body.o: must be an array, not an object\n", "", 1))

	faults = nil
	f.End(false)
	assert.Equal(t, "body.Late: is written late", faults.Error())
	faults = nil
	_, ok = Value{}.Fields("", &faults)
	assert.False(t, ok)
	assert.Equal(t, "document: must be an object, not nothing", faults.Error())
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
			bounds := strings.Contains(faults.Error(), "more than")
			if v.Kind() == Invalid && json.Valid(raw) && !bounds {
				t.Fatalf("refused good syntax: %v", faults)
			}
			return
		}
		if !json.Valid(raw) {
			t.Fatal("accepted what is no JSON")
		}
		var want any
		require.NoError(t, json.Unmarshal(raw, &want))
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

// TestMaxItems: a list that is a field of the document is read as far as it may
// be long; nothing else is held to that.
func TestMaxItems(t *testing.T) {
	t.Parallel()
	o := Options{MaxItems: map[string]int{"a": 2}}
	for in, want := range map[string]string{
		`{"a":[1,2],"b":[1,2,3],"c":{"a":[1,2,3]}}`: "",
		`{"a":[[1,2,3],2]}`:                         "",
		`{"a":[]}`:                                  "",
		`{"a":[1,2,3 no JSON any more`:              "a: must hold at most 2 items",
		`[{"a":[1,2,3]}]`:                           "",
	} {
		assert.Equal(t, want, check(in, o).Error(), in)
	}
}
