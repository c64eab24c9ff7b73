package api

import (
	"net"
	"sync"
)

// capped is a listener with at most so many connections open at once. More of
// them wait in the kernel's backlog and cost nothing here.
type capped struct {
	net.Listener
	slots  chan struct{}
	closed chan struct{}
	once   sync.Once
}

func newCapped(ln net.Listener, n int) *capped {
	return &capped{Listener: ln, slots: make(chan struct{}, n), closed: make(chan struct{})}
}

func (l *capped) Accept() (net.Conn, error) {
	select {
	case l.slots <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	conn, err := l.Listener.Accept()
	if err != nil {
		<-l.slots
		return nil, err
	}
	return &cappedConn{Conn: conn, free: sync.OnceFunc(func() { <-l.slots })}, nil
}

func (l *capped) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// cappedConn frees its slot when it is closed, once.
type cappedConn struct {
	net.Conn
	free func()
}

func (c *cappedConn) Close() error {
	err := c.Conn.Close()
	c.free()
	return err
}
