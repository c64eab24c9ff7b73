package api_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tripod/installer/api"
)

// TestDocPlainAnswers: what Go's HTTP server answers by itself is as docs/api.md
// says: these statuses, in plain text, and the connection is closed.
func TestDocPlainAnswers(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	address, _ := serve(t, api.ServerConfig{Handler: r.handler})
	raw, err := os.ReadFile(apiDoc)
	require.NoError(t, err)
	_, said, ok := strings.Cut(string(raw), "Go's HTTP server itself answers it in plain text")
	require.True(t, ok)
	token := "X-Auth-Token: " + r.token + "\r\n"
	seen := map[int]bool{}
	for request, want := range map[string]int{
		"garbage\r\n\r\n":                                                                    http.StatusBadRequest,
		"GET " + listing + " HTTP/1.1\r\n\r\n":                                               http.StatusBadRequest,
		"GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n":                                               http.StatusBadRequest,
		"GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n":                                      http.StatusBadRequest,
		"GET / HTTP/1.1\r\nHost: x y\r\n\r\n":                                                http.StatusBadRequest,
		"GET / HTTP/3.0\r\nHost: x\r\n\r\n":                                                  http.StatusHTTPVersionNotSupported,
		"POST " + create + " HTTP/1.1\r\nHost: x\r\n" + token + "Content-Length: -1\r\n\r\n": http.StatusBadRequest,
		"POST " + create + " HTTP/1.1\r\nHost: x\r\n" + token + "Expect: foo\r\nContent-Length: 2\r\n\r\n{}": http.StatusExpectationFailed,
		"POST " + create + " HTTP/1.1\r\nHost: x\r\n" + token + "Transfer-Encoding: gzip\r\n\r\n":            http.StatusNotImplemented,
		"GET / HTTP/1.1\r\nHost: x\r\n" + token + "X: " + strings.Repeat("a", 128<<10) + "\r\n\r\n":          http.StatusRequestHeaderFieldsTooLarge,
	} {
		conn := dial(t, address)
		_, err := io.WriteString(conn, request)
		require.NoError(t, err)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		require.NoError(t, err, "%.60q", request)
		_ = resp.Body.Close()
		require.Equal(t, want, resp.StatusCode, "%.60q", request)
		require.Empty(t, resp.Header.Get("X-Request-Id"), "%.60q", request)
		require.True(t, resp.Close, "%.60q", request)
		require.Contains(t, said, fmt.Sprint(want, " ("))
		seen[want] = true
	}
	require.Len(t, seen, len(regexp.MustCompile(`\b[45]\d\d \(`).FindAllString(said, -1)))
	r.nothingStored()
}
