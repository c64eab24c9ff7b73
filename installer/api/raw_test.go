package api_test

import (
	"bufio"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// raw writes bytes that no HTTP client would, and returns the status of the
// answer; 0: the connection was closed without one.
func (r *rig) raw(request string) int {
	r.t.Helper()
	return rawTo(r.t, strings.TrimPrefix(r.url, "http://"), request)
}

func rawTo(t testing.TB, address, request string) int {
	t.Helper()
	conn := dial(t, address)
	_, err := conn.Write([]byte(request))
	require.NoError(t, err)
	return status(conn)
}

func dial(t testing.TB, address string) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	require.NoError(t, err)
	require.NoError(t, conn.SetDeadline(time.Now().Add(5*time.Minute)))
	t.Cleanup(func() { _ = conn.Close() })
	return conn.(*net.TCPConn)
}

func status(conn net.Conn) int {
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}
