package signing

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// canonicalRequest is the text that is hashed and signed.
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

// canonicalPath escapes every segment anew, and ends in '/' even where the
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
	path := strings.Join(segments, "/")
	if !strings.HasSuffix(path, "/") {
		path += "/"
	}
	return path, nil
}

// canonicalQuery sorts by name, then by value, both as they are unescaped.
func canonicalQuery(raw string) (string, error) {
	type pair struct{ name, value string }
	var pairs []pair
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		name, err1 := url.QueryUnescape(name)
		value, err2 := url.QueryUnescape(value)
		if err1 != nil || err2 != nil {
			return "", errors.New("the query is not well formed")
		}
		pairs = append(pairs, pair{name, value})
	}
	slices.SortFunc(pairs, func(a, b pair) int {
		return cmp.Or(strings.Compare(a.name, b.name), strings.Compare(a.value, b.value))
	})
	texts := make([]string, len(pairs))
	for i, p := range pairs {
		texts[i] = escape(p.name) + "=" + escape(p.value)
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

const upperHex = "0123456789ABCDEF"

// escape is RFC 3986: all but letters, digits, '-', '.', '_' and '~'.
func escape(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.Write([]byte{'%', upperHex[c>>4], upperHex[c&15]})
	}
	return b.String()
}
