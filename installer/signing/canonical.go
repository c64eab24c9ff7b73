package signing

import (
	"cmp"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

func canonicalRequest(r *http.Request, names []string, body string) (string, error) {
	path, err := canonicalPath(r.URL.EscapedPath())
	if err != nil {
		return "", err
	}
	query, err := canonicalQuery(r.URL.RawQuery)
	if err != nil {
		return "", err
	}
	return strings.Join([]string{
		r.Method, path, query, canonicalHeaders(r, names), strings.Join(names, ";"), body,
	}, "\n"), nil
}

// canonicalPath escapes every segment again, and ends in '/' even where the
// path on the wire does not.
func canonicalPath(escaped string) (string, error) {
	segments := strings.Split(escaped, "/")
	for i, s := range segments {
		plain, err := url.PathUnescape(s)
		if err != nil {
			return "", errors.New("the path is not well formed")
		}
		segments[i] = escape(plain)
	}
	return strings.TrimSuffix(strings.Join(segments, "/"), "/") + "/", nil
}

func canonicalQuery(raw string) (string, error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return "", errors.New("the query is not well formed")
	}
	var texts []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		for _, value := range slices.Sorted(slices.Values(values[name])) {
			texts = append(texts, escape(name)+"="+escape(value))
		}
	}
	return strings.Join(texts, "&"), nil
}

// canonicalHeaders is a line per value, each ended by a newline. net/http keeps
// the Host line apart from the other headers.
func canonicalHeaders(r *http.Request, names []string) string {
	var b strings.Builder
	for _, name := range names {
		values := slices.Sorted(slices.Values(r.Header.Values(name)))
		if name == "host" {
			values = []string{cmp.Or(r.Host, r.URL.Host)}
		}
		for _, v := range values {
			b.WriteString(name + ":" + strings.TrimSpace(v) + "\n")
		}
	}
	return b.String()
}

// escape is RFC 3986: all but letters, digits, '-', '.', '_' and '~'.
func escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
