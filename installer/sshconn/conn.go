package sshconn

import (
	"context"
	"net"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"

	"tripod/installer"
)

// cancelGrace is what a server has for an orderly end of a canceled operation, before we hang up.
const cancelGrace = time.Second

// Conn is one authenticated connection to one host, for several goroutines. Every
// method returns within a second or so after its context is done.
type Conn struct {
	ssh    ssh.Conn
	wire   *Wire
	limits installer.Limits
	ended  chan struct{}          // closed when the connection has ended
	cause  atomic.Pointer[string] // why we ended it

	hadSession atomic.Bool
	closing    atomic.Pointer[chan struct{}] // closed when the server has closed the last channel that we did
	keepalive  keepalive
	sftp       sftpState
}

func New(sc ssh.Conn, chans <-chan ssh.NewChannel, reqs <-chan *ssh.Request, wire *Wire, limits installer.Limits) *Conn {
	c := &Conn{ssh: sc, wire: wire, limits: limits, ended: make(chan struct{})}
	// Whatever the server asks for is refused. Both must be served until the
	// connection ends, or x/crypto stops reading.
	go ssh.DiscardRequests(reqs)
	go func() {
		for ch := range chans {
			_ = ch.Reject(ssh.Prohibited, "not offered")
		}
		close(c.ended)
	}()
	return c
}

func (c *Conn) Close() error {
	c.end("closed")
	return nil
}

// end ends the connection; the first cause is kept.
func (c *Conn) end(cause string) {
	c.cause.CompareAndSwap(nil, &cause)
	_ = c.wire.Close()
}

func (c *Conn) ready(ctx context.Context, when string) *installer.Failure {
	if ctx.Err() != nil {
		return ContextFailure(ctx, when)
	}
	if !c.alive() {
		return c.Lost(when)
	}
	return nil
}

func (c *Conn) alive() bool {
	select {
	case <-c.ended:
		return false
	default:
		return c.cause.Load() == nil
	}
}

// Broken reports whether the connection has ended, or the one below SSH has,
// which is known a little earlier.
func (c *Conn) Broken() bool { return c.wire.Err() != nil || !c.alive() }

func (c *Conn) Lost(when string) *installer.Failure {
	return Failf(installer.KindLostContact, c.wire.Err(), "%s %s", c.howEnded(), when)
}

func (c *Conn) howEnded() string {
	if cause := c.cause.Load(); cause != nil {
		return *cause
	}
	if c.wire.Err() != nil {
		return "the connection broke"
	}
	return "the server ended it"
}

// Wire is the net.Conn under an SSH connection. It counts reads, for the
// keepalive, and keeps the first error, which says how the connection ended.
type Wire struct {
	net.Conn
	reads atomic.Uint32 // changes whenever the peer has sent something
	first atomic.Pointer[error]
}

func NewWire(nc net.Conn) *Wire { return &Wire{Conn: nc} }

func (w *Wire) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if n > 0 {
		w.reads.Add(1)
	}
	w.keep(err)
	return n, err
}

func (w *Wire) Write(p []byte) (int, error) {
	n, err := w.Conn.Write(p)
	w.keep(err)
	return n, err
}

func (w *Wire) keep(err error) {
	if err != nil {
		w.first.CompareAndSwap(nil, &err)
	}
}

func (w *Wire) Err() error {
	if err := w.first.Load(); err != nil {
		return *err
	}
	return nil
}
