package api

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/signing"
)

// doorman lets in whoever has a project's name for a token, or for a key.
type doorman struct{ installer.Ledger }

func (doorman) CheckToken(_ context.Context, token string) (installer.Principal, error) {
	return installer.Principal{Project: token, Kind: "token", Name: "x", Rights: installer.FullRights}, nil
}

func (doorman) Key(_ context.Context, key string) (installer.Principal, installer.Secret, error) {
	return installer.Principal{Project: key, Kind: "key", Name: "x", Rights: installer.FullRights}, installer.NewSecret("secret"), nil
}

func (doorman) SeeSignature(context.Context, string, string, [32]byte, time.Time, bool) (bool, time.Duration, error) {
	return false, 0, nil
}

// slowBody is a body of 3 MiB that begins to come at once and ends with the rest.
type slowBody struct {
	begun atomic.Bool
	rest  chan struct{}
}

func (b *slowBody) Read([]byte) (int, error) {
	b.begun.Store(true)
	<-b.rest
	return 0, io.EOF
}

func (b *slowBody) Close() error { return nil }

// TestC13LargeBodiesHavePlaces: a body over 2 MiB is not read before there is a
// place for it; a project has its share of them, and waits for a time at most.
func TestC13LargeBodiesHavePlaces(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		made, err := New(Config{
			Ledger: doorman{}, Tokens: doorman{}, Keys: doorman{}, Logger: slog.New(slog.DiscardHandler),
			Routes: []Route{{
				Method: http.MethodPost, Pattern: "/large", MaxBody: 64 << 20, Binary: true,
				Handle: func(*Request) (any, error) { return struct{}{}, nil },
			}},
		})
		require.NoError(t, err)
		type sent struct {
			*slowBody
			answer *httptest.ResponseRecorder
			gone   context.CancelFunc
		}
		send := func(project string, size int64, signed bool) sent {
			s := sent{&slowBody{rest: make(chan struct{})}, httptest.NewRecorder(), nil}
			ctx, cancel := context.WithCancel(t.Context())
			s.gone = cancel
			req := httptest.NewRequestWithContext(ctx, http.MethodPost, "/large", s.slowBody)
			req.ContentLength = size
			if signed { // with the hash of the body, which is empty in the end
				req.Header.Set("X-Sdk-Content-Sha256", signing.Hash(nil))
				require.NoError(t, signing.Sign(req, project, installer.NewSecret("secret"), signing.Hash(nil), time.Now()))
			} else {
				req.Header.Set("X-Auth-Token", project)
			}
			go made.ServeHTTP(s.answer, req)
			synctest.Wait()
			return s
		}
		// The signed ones are no exception: their bodies are read to be hashed.
		first, second := send("p1", 3<<20, true), send("p1", -1, false)
		require.True(t, first.begun.Load())
		require.True(t, second.begun.Load())
		for _, signed := range []bool{false, true} {
			third := send("p1", 3<<20, signed)
			time.Sleep(largeWait)
			synctest.Wait()
			require.False(t, third.begun.Load(), "nothing of it is read")
			require.Equal(t, http.StatusTooManyRequests, third.answer.Code, third.answer.Body)
			require.Equal(t, "10", third.answer.Header().Get("Retry-After"))
		}
		small, huge := send("p1", 1000, false), send("p1", 65<<20, false)
		require.True(t, small.begun.Load(), "needs no place")
		require.Equal(t, http.StatusRequestEntityTooLarge, huge.answer.Code, "and this one gets none")

		// One that waits goes past nobody, and holds up no other project.
		next, gone, other, last := send("p1", 3<<20, false), send("p1", 3<<20, false), send("p2", 3<<20, false), send("p3", 3<<20, false)
		require.False(t, next.begun.Load())
		require.True(t, other.begun.Load())
		require.True(t, last.begun.Load())
		gone.gone()
		synctest.Wait()
		require.Equal(t, http.StatusServiceUnavailable, gone.answer.Code)
		close(first.rest)
		synctest.Wait()
		require.True(t, next.begun.Load(), "its turn")
		for _, s := range []sent{second, next, other, last, small} {
			close(s.rest)
		}
		synctest.Wait()
		for _, s := range []sent{first, second, next, other, last, small} {
			require.Equal(t, http.StatusCreated, s.answer.Code, s.answer.Body)
			s.gone()
		}
		h := made.(*handler)
		require.Equal(t, largeBodies, h.large.free)
		require.Empty(t, h.large.held)
		require.Empty(t, h.large.waiting)
	})
}
