package sshtest

import (
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// slowDeadline is a connection on which much time passes before a deadline is
// taken away.
type slowDeadline struct{ net.Conn }

func (c slowDeadline) SetReadDeadline(at time.Time) error {
	if at.IsZero() {
		time.Sleep(20 * time.Millisecond)
	}
	return c.Conn.SetReadDeadline(at)
}

// pipedConn is the server's end of a connection, and the client's.
func pipedConn(t *testing.T) (*conn, net.Conn) {
	t.Helper()
	ours, theirs := net.Pipe()
	c := newConn(&Server{counts: newCounter()}, slowDeadline{ours}, 1)
	t.Cleanup(func() { _, _ = c.Close(), theirs.Close() })
	return c, theirs
}

// A stall that ends leaves the connection as it was: who reads after it does
// not meet the deadline that called the watcher back.
func TestWatchLeavesNoDeadline(t *testing.T) {
	t.Parallel()
	c, theirs := pipedConn(t)
	stop := c.watch()
	_, err := theirs.Write([]byte("a")) // the watcher reads
	require.NoError(t, err)
	type read struct {
		got string
		err error
	}
	reads := make(chan read, 2)
	go func() { // waits until the watcher lets go
		for range 2 {
			b := make([]byte, 1)
			n, err := c.Read(b)
			reads <- read{string(b[:n]), err}
		}
	}()
	stop()
	assert.Equal(t, read{"a", nil}, <-reads)
	_, err = theirs.Write([]byte("b"))
	require.NoError(t, err)
	assert.Equal(t, read{"b", nil}, <-reads)
}

// A watcher that has taken in all that it may does not disturb who reads after it.
func TestWatchIsFull(t *testing.T) {
	t.Parallel()
	c, theirs := pipedConn(t)
	stop := c.watch()
	_, err := theirs.Write(make([]byte, maxSpare))
	require.NoError(t, err)
	b := make([]byte, maxSpare)
	n, err := c.Read(b) // the watcher has let go
	require.NoError(t, err)
	require.Equal(t, maxSpare, n)
	errs := make(chan error)
	go func() {
		_, err := c.Read(b)
		errs <- err
	}()
	time.Sleep(20 * time.Millisecond) // so that it reads
	stop()
	_, err = theirs.Write([]byte("b"))
	require.NoError(t, err)
	require.NoError(t, <-errs)
}
