package api_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tripod/installer/api"
)

// TestStreamsAreNotKept: bytes that a route sends are no page to a browser, and
// stay in no cache.
func TestStreamsAreNotKept(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *api.Config) {
		c.Routes = []api.Route{{Method: http.MethodGet, Pattern: "/bytes", Handle: func(*api.Request) (any, error) {
			return api.Stream{ReadCloser: io.NopCloser(strings.NewReader("<b>bytes</b>"))}, nil
		}}}
	})
	for method, want := range map[string]string{http.MethodGet: "<b>bytes</b>", http.MethodHead: ""} {
		w, req := httptest.NewRecorder(), httptest.NewRequest(method, "/bytes", nil)
		req.Header.Set("X-Auth-Token", r.token)
		r.handler.ServeHTTP(w, req)
		require.Equal(t, http.StatusOK, w.Code)
		require.Equal(t, want, w.Body.String())
		for name, value := range map[string]string{"Content-Type": "application/octet-stream", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"} {
			require.Equal(t, value, w.Header().Get(name))
		}
	}
}
