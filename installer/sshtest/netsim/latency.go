package netsim

import (
	"io"
	"net"
	"sync"
	"time"
)

// Delayed puts a long way between a TCP connection and the server: what goes
// in at one side comes out at the other after latency. Ended by closing it.
func Delayed(raw net.Conn, latency time.Duration, wg *sync.WaitGroup) net.Conn {
	far, near := DelayedPipe(latency)
	wg.Go(func() { // client → server
		_, _ = io.Copy(far, raw)
		far.(*pipeEnd).out.end(true)
	})
	wg.Go(func() { // server → client
		_, _ = io.Copy(raw, far)
		_ = raw.Close()
		_ = far.Close()
	})
	return &delayedConn{near, raw, latency}
}

// delayedConn knows the addresses, and how to reset.
type delayedConn struct {
	net.Conn
	raw     net.Conn
	latency time.Duration
}

func (c *delayedConn) LocalAddr() net.Addr  { return c.raw.LocalAddr() }
func (c *delayedConn) RemoteAddr() net.Addr { return c.raw.RemoteAddr() }

// Close lets what is under way arrive, but does not wait for a client that
// takes nothing.
func (c *delayedConn) Close() error {
	_ = c.raw.SetWriteDeadline(time.Now().Add(c.latency + time.Second))
	return c.Conn.Close()
}

// SetLinger also closes: a reset does not wait for what is under way.
func (c *delayedConn) SetLinger(sec int) error {
	if tcp, ok := c.raw.(*net.TCPConn); ok {
		_ = tcp.SetLinger(sec)
	}
	return c.raw.Close()
}
