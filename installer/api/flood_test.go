package api_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/api"
)

// TestD14FloodsTakeNoMemory: whoever sends bodies that do not end, without a login
// or with one that may only look, has the server hold its share of the budget and no
// more. Not parallel: it measures the heap.
func TestD14FloodsTakeNoMemory(t *testing.T) {
	const (
		streams = 32
		most    = 24 << 20 // in bytes; without a budget it is 64 MiB
	)
	for name, tc := range map[string]struct {
		path  string
		login func(r *rig, key string) http.Header
	}{
		"a known key and a wrong signature": {create, func(_ *rig, key string) http.Header {
			return http.Header{"X-Sdk-Date": {sdkDate(time.Now())}, "Authorization": {signedBy(key, strings.Repeat("0", 64))}}
		}},
		"a token that may only look, status": {statuses, readOnly},
	} {
		for version, address := range map[string]func(*testing.T, *rig) (string, *http.Transport){"HTTP/1": overHTTP1, "HTTP/2": overHTTP2} {
			t.Run(name+", "+version, func(t *testing.T) {
				r := newRig(t)
				api.QuarterRoom(r.handler)
				api.RoomWait(r.handler, time.Millisecond)
				pair, err := r.store.AddKey(t.Context(), project, "ci", installer.FullRights)
				require.NoError(t, err)
				header := tc.login(r, pair.AccessKey)
				url, transport := address(t, r)
				payload := bytes.Repeat([]byte(" "), 2<<20)
				before := heap()
				flood := newFlood(t, streams)
				for range streams {
					flood.begin(transport, url+tc.path, header, payload)
				}
				flood.waitUntilQuiet()
				after := heap()
				require.Less(t, after-min(before, after), uint64(most))
				flood.end()
				require.Eventually(t, func() bool { return api.RoomHeld(r.handler) == 0 }, time.Minute, time.Millisecond, "requests that are over give back what they had")
			})
		}
	}
}

func readOnly(r *rig, _ string) http.Header {
	token, err := r.store.AddToken(r.t.Context(), project, "looker", installer.ReadRights)
	require.NoError(r.t, err)
	return http.Header{"X-Auth-Token": {token}}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse
}

func overHTTP1(t *testing.T, r *rig) (string, *http.Transport) {
	address, _ := serve(t, api.Limited(api.ServerConfig{Handler: r.handler}, api.ServerLimits{Read: time.Hour}))
	return "http://" + address, &http.Transport{WriteBufferSize: 4 << 10}
}

func overHTTP2(t *testing.T, r *rig) (string, *http.Transport) {
	cert, key := certificate(t)
	address, _ := serve(t, api.Limited(api.ServerConfig{Handler: r.handler, CertFile: cert, KeyFile: key}, api.ServerLimits{Read: time.Hour}))
	return "https://" + address, &http.Transport{
		ForceAttemptHTTP2: true, TLSClientConfig: trusting(t, cert),
	}
}

func trusting(t *testing.T, cert string) *tls.Config {
	t.Helper()
	raw, err := os.ReadFile(cert)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(raw))
	return &tls.Config{RootCAs: pool, ServerName: "localhost"}
}

// flood is requests whose bodies stop before their end.
type flood struct {
	t        *testing.T
	ctx      context.Context
	end      func() // after which none is under way
	n        int64
	over     atomic.Int64 // answered or cut off
	stalled  atomic.Int64 // all was sent that will be
	requests sync.WaitGroup
}

func newFlood(t *testing.T, n int) *flood {
	f := &flood{t: t, n: int64(n)}
	ctx, cancel := context.WithCancel(t.Context())
	f.ctx = ctx
	f.end = sync.OnceFunc(func() {
		cancel()
		f.requests.Wait()
	})
	t.Cleanup(f.end)
	return f
}

func (f *flood) begin(transport *http.Transport, url string, header http.Header, payload []byte) {
	body := &stallingBody{Reader: bytes.NewReader(payload[:len(payload)-1]), stalled: func() { f.stalled.Add(1) }, ctx: f.ctx}
	req, err := http.NewRequestWithContext(f.ctx, http.MethodPost, url, body)
	require.NoError(f.t, err)
	req.Header, req.ContentLength = header.Clone(), int64(len(payload))
	f.requests.Go(func() {
		resp, err := transport.RoundTrip(req)
		if body.isStalled.Load() {
			f.stalled.Add(-1)
		}
		f.over.Add(1)
		if err == nil {
			_ = resp.Body.Close()
		}
	})
}

// waitUntilQuiet waits until nothing more will arrive by itself.
func (f *flood) waitUntilQuiet() {
	f.t.Helper()
	require.Eventually(f.t, func() bool { return f.over.Load()+f.stalled.Load() >= f.n }, 5*time.Minute, 10*time.Millisecond,
		"%d over, %d stalled", f.over.Load(), f.stalled.Load())
}

type stallingBody struct {
	*bytes.Reader
	ctx       context.Context
	stalled   func()
	isStalled atomic.Bool
}

func (b *stallingBody) Read(p []byte) (int, error) {
	if n, err := b.Reader.Read(p); err != io.EOF {
		return n, err
	}
	if b.isStalled.CompareAndSwap(false, true) {
		b.stalled()
	}
	<-b.ctx.Done()
	return 0, b.ctx.Err()
}

func (b *stallingBody) Close() error { return nil }

// TestD14IdleConnectionsLockNobodyOut: however many connections there are without a
// login, from one machine or from many, a new one is answered, with and without one.
func TestD14IdleConnectionsLockNobodyOut(t *testing.T) {
	t.Parallel()
	for name, machines := range map[string]byte{"the same machine": 0, "one other machine": 1, "many others": 40} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			address, _ := serve(t, api.Limited(api.ServerConfig{Handler: r.handler}, api.ServerLimits{Conns: 32, Header: time.Hour, Idle: time.Hour}))
			for i := range 80 {
				_ = dialFrom(t, address, 1+byte(i)%max(machines, 1)+min(machines, 1))
			}
			for range 3 {
				conn := dialFrom(t, address, 1)
				_, err := io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
				require.NoError(t, err)
				require.Equal(t, http.StatusOK, status(conn))
				_, err = io.WriteString(conn, "GET "+listing+" HTTP/1.1\r\nHost: x\r\nX-Auth-Token: "+r.token+"\r\n\r\n")
				require.NoError(t, err)
				require.Equal(t, http.StatusOK, status(conn))
			}
		})
	}
}

// dialFrom connects as the machine 127.0.0.n.
func dialFrom(t testing.TB, address string, n byte) net.Conn {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, n)}}
	conn, err := d.DialContext(t.Context(), "tcp", address)
	require.NoError(t, err)
	require.NoError(t, conn.SetDeadline(time.Now().Add(5*time.Minute)))
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// TestD14LoginsComeThroughAFlood: who has a login is served while connections without one
// come as fast as they can, and keeps its connection.
func TestD14LoginsComeThroughAFlood(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	address, _ := serve(t, api.Limited(api.ServerConfig{Handler: r.handler}, api.ServerLimits{Conns: 16, Header: time.Hour, Idle: time.Hour}))
	ask := func(conn net.Conn) int {
		_, err := io.WriteString(conn, "GET "+listing+" HTTP/1.1\r\nHost: x\r\nX-Auth-Token: "+r.token+"\r\n\r\n")
		require.NoError(t, err)
		return status(conn)
	}
	mine := dialFrom(t, address, 1)
	require.Equal(t, http.StatusOK, ask(mine))
	for i := range 200 {
		conn := dialFrom(t, address, 2+byte(i%50))
		if i%3 == 0 {
			_, _ = io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: ")
		}
	}
	require.Equal(t, http.StatusOK, ask(mine), "it was not closed for them")
}

// TestD14LoginTimeout: a connection without a login is closed soon, whatever it has sent.
func TestD14LoginTimeout(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	address, _ := serve(t, api.Limited(api.ServerConfig{Handler: r.handler}, api.ServerLimits{Header: time.Hour, Idle: time.Hour, Login: 100 * time.Millisecond}))
	for _, begin := range []string{"", "GET /healthz HTTP/1.1\r\nHo", "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", "GET " + listing + " HTTP/1.1\r\nHost: x\r\nX-Auth-Token: wrong\r\n\r\n"} {
		conn := dialFrom(t, address, 1)
		_, _ = io.WriteString(conn, begin)
		_, err := io.Copy(io.Discard, conn)
		require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "the server kept the connection")
	}
	conn := dialFrom(t, address, 1)
	for answer := http.StatusOK; answer != 0; answer = status(conn) {
		_, _ = io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
	}
	_, err := conn.Read(make([]byte, 1))
	require.NotErrorIs(t, err, os.ErrDeadlineExceeded, "one that asks again and again is kept")
}

// TestBConnectionsCapped: of more connections than there may be only so many stay open,
// and the next one is answered.
func TestBConnectionsCapped(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	address, _ := serve(t, api.Limited(api.ServerConfig{Handler: r.handler}, api.ServerLimits{Conns: 4, Header: time.Hour, Login: time.Hour}))
	const more = 16
	closed := make(chan struct{}, more+4)
	for i := range more + 4 {
		conn := dialFrom(t, address, 2+byte(i))
		go func() {
			_, _ = io.Copy(io.Discard, conn)
			closed <- struct{}{}
		}()
	}
	for range more {
		<-closed
	}
	require.Empty(t, closed, "the newest stay")
	conn := dialFrom(t, address, 1)
	_, err := io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, status(conn))
}
