package scripts_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/scripts"
)

// jsonShell runs a line of shell with json.sh, once with each awk of this machine.
type jsonShell struct {
	dir  string
	awks []string
}

func newJSONShell(tb testing.TB) *jsonShell {
	tb.Helper()
	j := &jsonShell{dir: tb.TempDir()}
	text, err := scripts.Files.ReadFile("telescope/json.sh")
	require.NoError(tb, err)
	require.NoError(tb, os.WriteFile(filepath.Join(j.dir, "json.sh"), text, 0o600))
	for name, arguments := range map[string]string{"mawk": "", "gawk": "", "original-awk": "", "busybox": " awk"} {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		program := "#!/bin/sh\nexec " + path + arguments + " \"$@\"\n"
		bin := filepath.Join(j.dir, name)
		require.NoError(tb, os.Mkdir(bin, 0o755))
		require.NoError(tb, os.WriteFile(filepath.Join(bin, "awk"), []byte(program), 0o755))
		j.awks = append(j.awks, name)
	}
	require.NotEmpty(tb, j.awks, "this machine has no awk that is known here")
	return j
}

func (j *jsonShell) run(tb testing.TB, awk, line string, files map[string]string) (out string, code int) {
	tb.Helper()
	for name, text := range files {
		require.NoError(tb, os.WriteFile(filepath.Join(j.dir, name), []byte(text), 0o600))
	}
	cmd := exec.Command("sh", "-c", ". ./json.sh; "+line)
	cmd.Dir, cmd.Env = j.dir, []string{"LC_ALL=C", "PATH=" + filepath.Join(j.dir, awk) + ":/usr/bin:/bin"}
	text, err := cmd.Output()
	require.NotNil(tb, cmd.ProcessState, "%v", err)
	return string(text), cmd.ProcessState.ExitCode()
}

// edited is what Go makes of text with the member key set to value: exact where text has
// it, else what must come before and after what is added. ok: text is an object.
func edited(text, key, value string) (before, after string, has, ok bool) {
	var object map[string]json.RawMessage
	if json.Unmarshal([]byte(text), &object) != nil || object == nil {
		return "", "", false, false
	}
	dec := json.NewDecoder(strings.NewReader(text))
	_, _ = dec.Token()
	copied, end := 0, int(dec.InputOffset())
	for dec.More() {
		name, _ := dec.Token()
		var raw json.RawMessage
		_ = dec.Decode(&raw)
		end = int(dec.InputOffset())
		if strings.EqualFold(name.(string), key) {
			before += text[copied:end-len(raw)] + value
			copied, has = end, true
		}
	}
	if has {
		return before + text[copied:], "", true, true
	}
	return text[:end], text[end:], false, true
}

var jsonTexts = []string{
	`{}`, "{\n}\n", "{\r\n}\r\n", " { } ", `{"Key":1}`,
	"{\n    \"a\": 1\n}", "{\r\n  \"a\" : true,\r\n  \"key\" : \"x\"\r\n}\r\n",
	`{"a":{"Key":1},"b":["Key",{"Key":[]}],"c":"\"Key\":1,"}`, `{"Key":{"x":[1,2,{"y":"}"}]},"z":null}`,
	`{"Key":"1","Key":"2"}`, `{"\u004bey":"escaped","K\ney":1}`,
	`{"ä":"ö€😀","b":"\ud83d\ude00\/\b"}`, "{\"a\":\"\xff\xfe\"}",
	`{"n":-0.5e+10,"m":0,"o":1E5}`, `{"a":1,"b":2}`, `{ "a":1 }`,
	// Not an object.
	``, `[]`, `null`, `{"Key":1`, `{"Key":1}}`, `{"Key":1,}`, `{"Key" 1}`, `{Key:1}`, `{"a":01}`, `{"a":+1}`,
	`{"a":1.}`, `{"a":.5}`, `{"a":tru}`,
	`{"a":"\x"}`, `{"a":"\u12g4"}`, `{"a":"\u12`, `{"a":"`, `{"a":"\`,
	"{\"a\":\"\t\"}", "{\"a\":\"\n\"}", "\ufeff{}", "{}\x00", "{\"a\x00\":1}", `{"a":1} x`,
	`{"a":[1,]}`, `{"a":[}`, `{"a":{]}`, `{,}`, "{\"a\":1}\n.", `{"a":"."`, `{"a":1.`,
}

func checkJSONSet(tb testing.TB, j *jsonShell, text, value string) {
	tb.Helper()
	if strings.Count(text, "[")+strings.Count(text, "{") > 100 {
		return // nested deeper than any configuration
	}
	before, after, has, ok := edited(text, "Key", value)
	for _, awk := range j.awks {
		out, code := j.run(tb, awk, "json_set wanted file", map[string]string{"wanted": "Key\t" + value + "\n", "file": text})
		switch {
		case !ok:
			assert.Equal(tb, 3, code, "%s: %q", awk, text)
			assert.Empty(tb, out, "%s: %q", awk, text)
		case has:
			assert.Equal(tb, before, out, "%s: %q", awk, text)
		default:
			added, cut := strings.CutPrefix(out, before)
			added, cut2 := strings.CutSuffix(added, after)
			assert.True(tb, cut && cut2, "%s: %q became %q", awk, text, out)
			assert.Contains(tb, added, `"Key"`)
			var object map[string]json.RawMessage
			require.NoError(tb, json.Unmarshal([]byte(out), &object), "%s: %q became %q", awk, text, out)
			assert.Equal(tb, value, string(object["Key"]))
		}
	}
}

// A member of a JSON object is set, and nothing else in the text: as Go reads it.
func FuzzJSONSet(f *testing.F) {
	for _, text := range jsonTexts {
		f.Add(text, []byte(`s\e"c'r&e/t|$(x)`))
	}
	j := newJSONShell(f)
	f.Fuzz(func(t *testing.T, text string, value []byte) {
		quoted, err := json.Marshal(string(value))
		require.NoError(t, err)
		checkJSONSet(t, j, text, string(quoted))
	})
}

// Any text is quoted so that it comes out as it was; a member added is in the style of the
// others.
func TestJSON(t *testing.T) {
	t.Parallel()
	j := newJSONShell(t)
	for _, awk := range j.awks {
		control := make([]byte, 31)
		for i := range control {
			control[i] = byte(i + 1)
		}
		for _, value := range []string{
			"", `s\e"c'r&e/t|$(x) ` + "`y`", "tab\there", string(control), "line\n\nbreak\n",
			"äö€😀", strings.Repeat(`\"$ä`, 750), ".", "\n", "%s%n", "\x7f",
		} {
			out, _ := j.run(t, awk, `json_quote "$(cat file; echo .)"`, map[string]string{"file": value})
			var back string
			require.NoError(t, json.Unmarshal([]byte(out), &back), "%s: %s", awk, out)
			assert.Equal(t, value+".", back, awk)
		}
		for text, want := range map[string]string{
			"{\n    \"a\":1\n}\n":           "{\n    \"a\":1,\n    \"Key\":true\n}\n",
			"{\r\n\t\"a\" : 1\r\n}":         "{\r\n\t\"a\" : 1,\r\n\t\"Key\" : true\r\n}",
			"{\n}\n":                        "{\n    \"Key\": true\n}\n",
			`{}`:                            `{"Key": true}`,
			`{"a": {"b":1}, "c": [ ] }`:     `{"a": {"b":1}, "c": [ ], "Key": true }`,
			"{\"a\": 1,\n \"KEY\": [1,{}]}": "{\"a\": 1,\n \"KEY\": true}",
		} {
			out, _ := j.run(t, awk, "json_set wanted file", map[string]string{"wanted": "Key\ttrue\n", "file": text})
			assert.Equal(t, want, out, awk)
		}
		out, _ := j.run(t, awk, `json_get "two none ONE" <file; json_get two <wanted`,
			map[string]string{"wanted": "no JSON", "file": "{\"one\":1,\"two\":{\n\"two\":[]}}"})
		assert.Equal(t, "{\"two\":[]}\n\n1\n", out, awk)
	}
}
