package api

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/api/limits"
	"tripod/installer/plan"
	"tripod/installer/signing"
)

// doorman lets in whoever has a project's name for a token, or for a key.
type doorman struct{}

func (doorman) CheckToken(_ context.Context, token string) (installer.Principal, error) {
	return installer.Principal{Project: token, Kind: "token", Name: "x", Rights: installer.FullRights}, nil
}

func (doorman) Key(_ context.Context, key string) (installer.Principal, installer.Secret, error) {
	return installer.Principal{Project: key, Kind: "key", Name: "x", Rights: installer.FullRights}, installer.NewSecret("secret"), nil
}

func (doorman) SeeSignature(context.Context, string, string, [32]byte, time.Time, bool) (bool, time.Duration, error) {
	return false, 0, nil
}

// slowBody begins to come at once, and then is "{}".
type slowBody struct {
	begun atomic.Bool
	rest  chan struct{}
}

func (b *slowBody) Read(p []byte) (int, error) {
	b.begun.Store(true)
	<-b.rest
	return copy(p, "{}"), io.EOF
}

func (b *slowBody) Close() error { return nil }

// sent is a request on its way through a handler.
type sent struct {
	*slowBody
	answer     *httptest.ResponseRecorder
	disconnect context.CancelFunc
}

// large is a handler with one route, for bodies of up to 64 MiB.
func large(t *testing.T, handle func(*Request) (any, error)) *handler {
	made := New(Config{
		Planner: plan.NewPlanner(plan.Planner{}), Access: doorman{}, Logger: slog.New(slog.DiscardHandler),
		Routes: []Route{{Method: http.MethodPost, Pattern: "/large", MaxBody: 64 << 20, Handle: handle}},
	})
	return made.(*handler)
}

func nothing(*Request) (any, error) { return struct{}{}, nil }

// TestC13BodiesHaveABudget: a body is not read before there is room for it; a
// project has its share of the room, and waits for a time at most.
func TestC13BodiesHaveABudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := large(t, nothing)
		send := func(project string, size int64, signed bool) sent {
			s := sent{&slowBody{rest: make(chan struct{})}, httptest.NewRecorder(), nil}
			ctx, cancel := context.WithCancel(t.Context())
			s.disconnect = cancel
			req := httptest.NewRequestWithContext(ctx, http.MethodPost, "/large", s.slowBody)
			req.ContentLength = size
			if signed { // with the hash of the body
				require.NoError(t, signing.Sign(req, project, installer.NewSecret("secret"), signing.Hash([]byte("{}")), time.Now()))
			} else {
				req.Header.Set("X-Auth-Token", project)
			}
			go h.ServeHTTP(s.answer, req)
			synctest.Wait()
			return s
		}
		const full = 64 << 20
		first := send("p1", full, true)
		require.True(t, first.begun.Load())
		for size, signed := range map[int64]bool{full: true, -1: false} { // of unknown length: all that it may be
			third := send("p1", size, signed)
			time.Sleep(limits.BudgetWait)
			synctest.Wait()
			require.False(t, third.begun.Load(), "nothing of it is read")
			require.Equal(t, http.StatusTooManyRequests, third.answer.Code, third.answer.Body)
			require.Equal(t, "10", third.answer.Header().Get("Retry-After"))
		}
		small, huge := send("p1", 1000, false), send("p1", full+1, false)
		require.True(t, small.begun.Load(), "is not held up by large ones")
		require.Equal(t, http.StatusRequestEntityTooLarge, huge.answer.Code, "and this one is not waited for")

		// One that waits for its own share goes past nobody, and holds up no other project.
		next, leaving, other, last := send("p1", full, false), send("p1", full, false), send("p2", full, false), send("p3", full, false)
		require.False(t, next.begun.Load())
		require.True(t, other.begun.Load())
		require.False(t, last.begun.Load(), "all the room is taken")
		leaving.disconnect()
		synctest.Wait()
		require.Equal(t, http.StatusServiceUnavailable, leaving.answer.Code)
		close(other.rest)
		synctest.Wait()
		require.True(t, last.begun.Load(), "its turn")
		close(first.rest)
		synctest.Wait()
		require.True(t, next.begun.Load(), "its turn")
		for _, s := range []sent{next, last, small} {
			close(s.rest)
		}
		synctest.Wait()
		for _, s := range []sent{first, next, other, last, small} {
			require.Equal(t, http.StatusOK, s.answer.Code, s.answer.Body)
			s.disconnect()
		}
		require.Zero(t, RoomHeld(h))
	})
}

// TestD14UnverifiedBodiesAreLentAsTheyArrive: whatever length they announce; and a signed
// one finds room among those that others hold.
func TestD14UnverifiedBodiesAreLentAsTheyArrive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := large(t, nothing)
		request := func(body io.Reader, peer string) *http.Request {
			req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/large", body)
			req.ContentLength, req.RemoteAddr = maxBody, peer
			req.Header.Set("X-Sdk-Date", time.Now().UTC().Format("20060102T150405Z"))
			req.Header.Set("Authorization", "SDK-HMAC-SHA256 Access=p1, SignedHeaders=x-sdk-date, Signature="+strings.Repeat("0", 64))
			return req
		}
		var all []sent
		flood := func(n int, arrived int64) {
			for i := range n {
				s := sent{&slowBody{rest: make(chan struct{})}, httptest.NewRecorder(), nil}
				req := request(io.MultiReader(io.LimitReader(spaces{}, arrived), s.slowBody), fmt.Sprintf("192.0.2.%d:1", i%4))
				go h.ServeHTTP(s.answer, req)
				all = append(all, s)
			}
			synctest.Wait()
		}
		signed := func() {
			t.Helper()
			answer, req := httptest.NewRecorder(), request(strings.NewReader("{}"), "192.0.2.9:1")
			req.ContentLength = 2
			signAsSDK(req, "{}")
			h.ServeHTTP(answer, req)
			require.Equal(t, http.StatusOK, answer.Code, answer.Body)
		}
		flood(256, 1)
		require.Less(t, RoomHeld(h), int64(256*32<<10))
		signed()
		flood(24, maxBody-1)
		require.LessOrEqual(t, RoomHeld(h), int64(32<<20))
		signed()
		for _, s := range all {
			close(s.rest)
		}
		synctest.Wait()
		require.Zero(t, RoomHeld(h))
	})
}

// signAsSDK signs as the official SDKs do: without a header with the body's hash.
func signAsSDK(req *http.Request, body string) {
	date := req.Header.Get("X-Sdk-Date")
	canonical := "POST\n" + req.URL.Path + "/\n\nx-sdk-date:" + date + "\n\nx-sdk-date\n" + signing.Hash([]byte(body))
	mac := hmac.New(sha256.New, []byte("secret"))
	_, _ = io.WriteString(mac, signing.Algorithm+"\n"+date+"\n"+signing.Hash([]byte(canonical)))
	req.Header.Set("Authorization", fmt.Sprintf("%s Access=p1, SignedHeaders=x-sdk-date, Signature=%x", signing.Algorithm, mac.Sum(nil)))
}

// spaces is an endless body.
type spaces struct{}

func (spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	return len(p), nil
}

// TestC13BudgetComesBack: also from a request that panics, fails, or is cut off.
func TestC13BudgetComesBack(t *testing.T) {
	t.Parallel()
	for name, handle := range map[string]func(*Request) (any, error){
		"panic":  func(*Request) (any, error) { panic("x") },
		"error":  func(*Request) (any, error) { return nil, installer.ErrStorage },
		"answer": nothing,
	} {
		h := large(t, handle)
		for _, body := range []io.Reader{strings.NewReader("whole"), io.MultiReader(strings.NewReader("half"), brokenBody{})} {
			for _, size := range []int64{5, maxBody, 64 << 20, -1} {
				req := httptest.NewRequest(http.MethodPost, "/large", body)
				req.ContentLength = size
				req.Header.Set("X-Auth-Token", "p1")
				h.ServeHTTP(httptest.NewRecorder(), req)
				require.Zero(t, RoomHeld(h), name)
			}
		}
	}
}

type brokenBody struct{}

func (brokenBody) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
