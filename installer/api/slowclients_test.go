package api_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer/api"
)

// TestBSlowClients: each is closed by a limit; none of them gets work stored.
func TestBSlowClients(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	address, _ := serve(t, api.Limited(api.ServerConfig{Handler: r.handler}, api.ServerLimits{Header: 100 * time.Millisecond, Read: 300 * time.Millisecond, Idle: 100 * time.Millisecond}))
	head := "POST " + create + " HTTP/1.1\r\nHost: x\r\nX-Auth-Token: " + r.token + "\r\n"
	t.Run("clients", func(t *testing.T) {
		for name, begin := range map[string]string{
			"nothing":     "",
			"half a line": "GET /healthz HT",
			"half a head": head,
			"idle":        "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
			"half a body": head + "Content-Length: 1000\r\n\r\n{\"invocation_type\":",
			"half chunk":  head + "Transfer-Encoding: chunked\r\n\r\n400\r\n{",
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				conn := dial(t, address)
				_, err := io.WriteString(conn, begin)
				require.NoError(t, err)
				_, err = io.Copy(io.Discard, conn) // ends when the server closes
				require.False(t, errors.Is(err, os.ErrDeadlineExceeded), "the server kept the connection")
			})
		}
		t.Run("byte by byte", func(t *testing.T) {
			t.Parallel()
			conn := dial(t, address)
			closed := make(chan struct{})
			go func() {
				defer close(closed)
				_, _ = io.Copy(io.Discard, conn)
			}()
			tick := time.NewTicker(5 * time.Millisecond)
			defer tick.Stop()
			for i := range 100_000 {
				select {
				case <-closed:
					return
				case <-tick.C:
					_, _ = io.WriteString(conn, string("GET /healthz HTTP/1.1\r\nX: "[min(i, 25)]))
				}
			}
			t.Error("drips kept the connection open")
		})
	})
	r.nothingStored()
}

// TestBSlowReader: an answer that nobody takes is given up.
func TestBSlowReader(t *testing.T) {
	t.Parallel()
	failed := make(chan error, 1)
	big := strings.Repeat("x", 1<<20)
	address, _ := serve(t, api.Limited(api.ServerConfig{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for {
			if _, err := io.WriteString(w, big); err != nil {
				failed <- err
				return
			}
		}
	})}, api.ServerLimits{Write: 200 * time.Millisecond}))
	conn := dial(t, address)
	_, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	require.NoError(t, err)
	require.ErrorIs(t, <-failed, os.ErrDeadlineExceeded)
}

// TestBLyingContentLength: a body that is shorter or longer than announced.
func TestBLyingContentLength(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	good := remoteInstall(host(nil))
	send := func(length, body string) (first int) {
		conn := dial(t, strings.TrimPrefix(r.url, "http://"))
		_, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nX-Auth-Token: %s\r\nContent-Length: %s\r\n\r\n%s", create, r.token, length, body)
		require.NoError(t, err)
		require.NoError(t, conn.CloseWrite())
		return status(conn)
	}
	assert.Equal(t, http.StatusBadRequest, send(fmt.Sprint(len(good)+1), good), "too long: the body did not arrive whole")
	assert.Equal(t, http.StatusBadRequest, send(fmt.Sprint(len(good)-1), good), "too short: half a document")
	assert.Equal(t, http.StatusRequestEntityTooLarge, send("2097153", good))
	assert.Equal(t, http.StatusRequestEntityTooLarge, send("9223372036854775807", good))
	for _, length := range []string{"-1", "x", "1, 2", "99999999999999999999", "+5"} {
		assert.Equal(t, http.StatusBadRequest, send(length, good), length)
	}
	r.nothingStored()

	// What follows a short body is read as the next request, and refused.
	conn := dial(t, strings.TrimPrefix(r.url, "http://"))
	_, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nX-Auth-Token: %s\r\nContent-Length: 2\r\n\r\n%s\r\n\r\n", create, r.token, good)
	require.NoError(t, err)
	br := bufio.NewReader(conn)
	resp, err := http.ReadResponse(br, nil)
	require.NoError(t, err)
	read(t, resp).refused(t, http.StatusBadRequest, api.CodeBodyInvalid)
	resp, err = http.ReadResponse(br, nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusBadRequest, resp.StatusCode)
	_ = resp.Body.Close()
	r.nothingStored()
}

func TestHeadersAreBounded(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	address, _ := serve(t, api.ServerConfig{Handler: r.handler})
	require.Equal(t, http.StatusUnauthorized, rawTo(t, address, "GET "+listing+" HTTP/1.1\r\nHost: x\r\nX-Auth-Token: "+strings.Repeat("a", 16384)+"\r\n\r\n"), "the longest token still fits")
	require.Equal(t, http.StatusRequestHeaderFieldsTooLarge, rawTo(t, address, "GET / HTTP/1.1\r\nHost: x\r\nX: "+strings.Repeat("a", 128<<10)+"\r\n\r\n"))
}
