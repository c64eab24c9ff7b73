package api

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/plan"
	"tripod/installer/signing"
)

// fullMemory has no room for another signature of one key.
type fullMemory struct {
	doorman
	of string
}

func (f fullMemory) SeeSignature(_ context.Context, project, accessKey string, _ [32]byte, _ time.Time, _ bool) (bool, time.Duration, error) {
	if project == f.of && accessKey == f.of {
		return false, 0, fmt.Errorf("in a test: %w", installer.ErrFull)
	}
	return false, 0, nil
}

// TestC13SignaturesOfOneKey: a key that has its share of what is remembered is
// told to wait; others are answered.
func TestC13SignaturesOfOneKey(t *testing.T) {
	t.Parallel()
	handler := New(Config{
		Planner: plan.NewPlanner(plan.Planner{}), Access: fullMemory{of: "p1"}, Logger: slog.New(slog.DiscardHandler),
		Routes: []Route{{Method: http.MethodGet, Pattern: "/added", Handle: func(*Request) (any, error) { return struct{}{}, nil }}},
	})
	for key, want := range map[string]int{"p1": http.StatusTooManyRequests, "p2": http.StatusOK} {
		w := httptest.NewRecorder()
		req := httptest.NewRequest(http.MethodGet, "/added", nil)
		require.NoError(t, signing.Sign(req, key, installer.NewSecret("secret"), signing.Hash(nil), time.Now()))
		handler.ServeHTTP(w, req)
		require.Equal(t, want, w.Code, w.Body)
		if want == http.StatusTooManyRequests {
			require.Equal(t, "60", w.Header().Get("Retry-After"))
			require.Contains(t, w.Body.String(), "too many signed requests of this access key")
		}
	}
}
