package api

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tripod/installer/api/limits"
	"tripod/installer/plan"
)

// TestBSlowUnverifiedBody: it has less time than one whose sender is known, and gives
// back what it had.
func TestBSlowUnverifiedBody(t *testing.T) {
	t.Parallel()
	h := large(t, nothing)
	h.unverifiedPace = limits.Pace{Grace: 100 * time.Millisecond, Rate: 1 << 40}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	_, err = fmt.Fprintf(conn, "POST /large HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\nX-Sdk-Date: %s\r\nAuthorization: SDK-HMAC-SHA256 Access=p1, SignedHeaders=x-sdk-date, Signature=%064d\r\n\r\nx",
		time.Now().UTC().Format("20060102T150405Z"), 0)
	require.NoError(t, err)
	r, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusRequestTimeout, r.StatusCode)
	require.NoError(t, r.Body.Close())
	require.Eventually(t, func() bool { return RoomHeld(h) == 0 }, time.Minute, time.Millisecond)
}

// TestBSlowLargeBody: one that trickles is closed, and its place is free again,
// long before it may have taken; one that comes in time is answered.
func TestBSlowLargeBody(t *testing.T) {
	t.Parallel()
	const size = 3 << 20
	shared := limits.NewBudget()
	shared.Large = limits.NewQuota(2 * size)
	begin := func(p limits.Pace, body []byte) net.Conn {
		made := New(Config{
			Planner: plan.NewPlanner(plan.Planner{}), Access: doorman{}, Logger: slog.New(slog.DiscardHandler),
			Routes: []Route{{
				Method: http.MethodPost, Pattern: "/large", MaxBody: 64 << 20, Wait: time.Hour,
				Handle: func(*Request) (any, error) { return struct{}{}, nil },
			}},
		})
		h := made.(*handler)
		h.pace, h.budget = p, shared
		server := httptest.NewServer(h)
		t.Cleanup(server.Close)
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		require.NoError(t, err)
		t.Cleanup(func() { _ = conn.Close() })
		_, err = fmt.Fprintf(conn, "POST /large HTTP/1.1\r\nHost: x\r\nX-Auth-Token: p-one\r\nContent-Length: %d\r\n\r\n", size)
		require.NoError(t, err)
		_, _ = conn.Write(body)
		return conn
	}
	slow := limits.Pace{Grace: 300 * time.Millisecond, Rate: size / 60} // a minute more for all of it
	for name, tc := range map[string]struct {
		limits.Pace
		n    int // bytes at once
		rate time.Duration
	}{
		"nothing":      {slow, 1, time.Hour},
		"byte by byte": {slow, 1, 10 * time.Millisecond},
		// So little is left that net/http would read it, to use the connection again.
		"all but the end": {limits.Pace{Grace: 300 * time.Millisecond, Rate: 1 << 40}, size - 100_000, 10 * time.Millisecond},
	} {
		conn := begin(tc.Pace, make([]byte, tc.n))
		stop := make(chan struct{})
		done := make(chan struct{})
		go func() {
			defer close(done)
			tick := time.NewTicker(tc.rate)
			defer tick.Stop()
			for {
				select {
				case <-tick.C:
					_, _ = conn.Write([]byte("x"))
				case <-stop:
					return
				}
			}
		}()
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(time.Minute)))
		answer := bufio.NewReader(conn)
		r, err := http.ReadResponse(answer, nil)
		require.NoError(t, err, name)
		require.Equal(t, http.StatusRequestTimeout, r.StatusCode, name)
		require.True(t, r.Close, name)
		_, _ = io.Copy(io.Discard, r.Body)
		require.NoError(t, r.Body.Close())
		_, err = answer.ReadByte()
		require.Error(t, err, name)
		require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "%s: the connection is closed, and not waited for", name)
		close(stop)
		<-done
	}
	conn := begin(limits.Pace{Grace: time.Minute, Rate: size}, make([]byte, size)) // a slow machine is in time
	r, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	require.Less(t, r.StatusCode, 300)
	require.NoError(t, r.Body.Close())
}
