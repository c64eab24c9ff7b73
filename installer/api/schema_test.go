package api_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

var compiled sync.Map // of patterns: answers are long

func pattern(text string) *regexp.Regexp {
	if re, ok := compiled.Load(text); ok {
		return re.(*regexp.Regexp)
	}
	re, _ := compiled.LoadOrStore(text, regexp.MustCompile(text))
	return re.(*regexp.Regexp)
}

// accepts is a JSON schema's verdict.
func (s spec) accepts(is schema, v any) bool { return s.fault(is, v, "") == "" }

// fault is the path of the first thing that the schema refuses, or "". An object
// may have no field that the document does not name.
func (s spec) fault(is schema, v any, path string) string {
	is = s.resolve(is)
	refused := "value" + path
	types := texts(is["type"])
	if one, ok := is["type"].(string); ok {
		types = []string{one}
	}
	if enum, given := is["enum"]; given && !slices.Contains(texts(enum), fmt.Sprint(v)) {
		return refused
	}
	within := func(n int, least, most string) bool {
		lo, low := is[least].(int)
		hi, high := is[most].(int)
		return (!low || n >= lo) && (!high || n <= hi)
	}
	ok := false
	switch v := v.(type) {
	case bool:
		ok = slices.Contains(types, "boolean")
	case int:
		ok = slices.Contains(types, "integer") && within(v, "minimum", "maximum")
	case string:
		ok = slices.Contains(types, "string") && within(utf8.RuneCountInString(v), "minLength", "maxLength")
		if text, given := is["pattern"].(string); given {
			ok = ok && pattern(text).MatchString(v)
		}
		if is["format"] == "ipv4" {
			addr, err := netip.ParseAddr(v)
			ok = ok && err == nil && addr.Is4()
		}
	case []any:
		ok = slices.Contains(types, "array") && within(len(v), "minItems", "maxItems")
		seen := map[any]bool{}
		for i := 0; ok && i < len(v); i++ {
			if f := s.fault(is["items"].(schema), v[i], fmt.Sprintf("%s[%d]", path, i)); f != "" {
				return f
			}
			if is["uniqueItems"] == true {
				ok = !seen[v[i]]
				seen[v[i]] = true
			}
		}
	case map[string]any:
		ok = slices.Contains(types, "object")
		for _, name := range texts(is["required"]) {
			if _, given := v[name]; ok && !given {
				return refused + "." + name
			}
		}
		for _, name := range slices.Sorted(maps.Keys(v)) {
			properties, _ := is["properties"].(schema)
			property, known := properties[name].(schema)
			if ok && !known {
				return refused + "." + name
			}
			if ok {
				if f := s.fault(property, v[name], path+"."+name); f != "" {
					return f
				}
			}
		}
	}
	if ok {
		return ""
	}
	return refused // null and fractions have no place in this API
}

// document is a JSON document as accepts takes it: whole numbers are ints.
func document(t testing.TB, raw string) any {
	t.Helper()
	var v any
	dec := json.NewDecoder(strings.NewReader(raw))
	dec.UseNumber()
	require.NoError(t, dec.Decode(&v), raw)
	return whole(v)
}

func whole(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return int(n)
		}
	case []any:
		for i := range v {
			v[i] = whole(v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = whole(v[name])
		}
	}
	return v
}

// holdAnswer holds an answer against the document: a good one of an operation
// that is in it, and every error.
func holdAnswer(t testing.TB, method, path string, a answer) {
	t.Helper()
	s := readSpec(t)
	if a.status >= 400 {
		require.Empty(t, s.fault(s.schema("Error"), document(t, a.body), ""), "docs/openapi.yaml does not have this error: %s", a.body)
		return
	}
	paths := s.at(s.root, "paths")
	for route := range paths {
		op, ok := s.at(paths, route)[strings.ToLower(method)].(schema)
		if !ok || !pattern("^"+strings.ReplaceAll(route, "{project_id}", "[^/]+")+"$").MatchString(path) {
			continue
		}
		is := s.at(op, "responses", fmt.Sprint(a.status), "content", "application/json", "schema")
		require.Empty(t, s.fault(is, document(t, a.body), ""), "docs/openapi.yaml does not have this answer of %s: %.2000s", route, a.body)
	}
}
