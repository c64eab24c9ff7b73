package sshtest

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

var errGone = errors.New("sshtest: the connection has ended")

// conn is the server's end of a TCP connection. It knows which message of the
// handshake passes, and does the faults of the wire.
type conn struct {
	net.Conn
	srv *Server
	n   int // ordinal, from 1

	ctx      context.Context // done when either side has ended it
	cancel   context.CancelFunc
	gone     <-chan struct{} // ctx.Done()
	goneOnce sync.Once

	reading   chan struct{} // held by who reads from Conn
	spare     []byte        // read while stalling; guarded by reading
	readErr   error         // guarded by reading
	in, out   atomic.Int64
	spoke     atomic.Bool // the version string is out
	encrypted atomic.Bool
}

func newConn(s *Server, raw net.Conn, n int) *conn {
	c := &conn{Conn: raw, srv: s, n: n, reading: make(chan struct{}, 1)}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.gone = c.ctx.Done()
	return c
}

func (c *conn) fault(stage Stage, detail string, bytes int64) *fault {
	f := c.srv.faults.at(stage, c.n, detail, bytes)
	if f != nil {
		c.srv.counts.add(func(k *Counts) { k.Faults[stage]++ })
		c.srv.cfg.Logf("connection %d: %s at %s %s", c.n, f.Action, stage, detail)
	}
	return f
}

// end marks the connection as over; who was first is counted.
func (c *conn) end(byClient bool) {
	c.goneOnce.Do(func() {
		c.srv.counts.add(func(k *Counts) {
			if byClient {
				k.ClientClosed++
			} else {
				k.ServerClosed++
			}
		})
		c.cancel()
	})
}

func (c *conn) Close() error {
	c.end(false)
	return c.Conn.Close()
}

func (c *conn) reset() {
	if tcp, ok := c.Conn.(interface{ SetLinger(int) error }); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}

func (c *conn) Read(p []byte) (int, error) {
	c.reading <- struct{}{}
	defer func() { <-c.reading }()
	if len(c.spare) > 0 {
		n := copy(p, c.spare)
		c.spare = c.spare[n:]
		return n, nil
	}
	if c.readErr != nil {
		return 0, c.readErr
	}
	n, err := c.Conn.Read(p)
	if err != nil {
		c.readErr = err
		c.end(true)
		return n, err
	}
	total := c.in.Add(int64(n))
	if f := c.fault(Inbound, "", total); f != nil {
		// No watching here: a partition does not tell that the peer has left.
		if err := c.perform(f, false); err != nil {
			return 0, err
		}
	}
	return n, nil
}

func (c *conn) Write(p []byte) (int, error) {
	stage := Stage("")
	switch {
	case c.encrypted.Load():
	case !c.spoke.Load():
		stage = Version
		defer c.spoke.Store(true)
	case len(p) > 5 && p[5] == 20: // SSH_MSG_KEXINIT
		stage = KexInit
	case len(p) > 5 && p[5] == 21: // SSH_MSG_NEWKEYS
		stage = NewKeys
		defer c.encrypted.Store(true)
	}
	f := c.fault(Outbound, "", c.out.Add(int64(len(p))))
	if f == nil && stage != "" {
		f = c.fault(stage, "", 0)
	}
	if f == nil {
		return c.Conn.Write(p)
	}
	switch f.Action {
	case Garbage:
		_, err := c.Conn.Write(f.noise())
		return len(p), err
	case Flood:
		for {
			if _, err := c.Conn.Write(f.flood(stage)); err != nil {
				return 0, err
			}
		}
	case Drip:
		for i := range p {
			if err := c.sleep(f, f.dripDelay()); err != nil {
				return i, err
			}
			if _, err := c.Conn.Write(p[i : i+1]); err != nil {
				return i, err
			}
		}
		return len(p), nil
	case Omit:
		return len(p), nil
	}
	if err := c.perform(f, true); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// perform does the actions that are the same at every stage. After a nil error
// what is due goes on. watch: notice that the client leaves, by reading.
func (c *conn) perform(f *fault, watch bool) error {
	switch f.Action {
	case Stall:
		if watch {
			defer c.watch()()
		}
		select {
		case <-f.removed:
			return nil
		case <-c.gone:
			return errGone
		}
	case Delay:
		return c.sleep(f, f.Delay)
	case Drop:
		_ = c.Close()
		return errGone
	case Reset:
		c.reset()
		return errGone
	case Refuse:
		text := f.Text
		if text == "" {
			text = "Not allowed at this time\r\n"
		}
		if !c.encrypted.Load() {
			_, _ = c.Conn.Write([]byte(text))
		}
		_ = c.Close()
		return errGone
	case Garbage:
		_, err := c.Conn.Write(f.noise())
		return err
	case Flood:
		for {
			if _, err := c.Conn.Write(f.flood("")); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *conn) sleep(f *fault, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-f.removed:
		return nil
	case <-c.gone:
		return errGone
	}
}

func (f *fault) dripDelay() time.Duration {
	if f.Delay > 0 {
		return f.Delay
	}
	return time.Second
}

// noise is Text or 1 KiB of random bytes.
func (f *fault) noise() []byte {
	if f.Text != "" {
		return []byte(f.Text)
	}
	b := make([]byte, 1024)
	for i := range b {
		b[i] = byte(rand.Uint32())
	}
	return b
}

// flood is one portion of an endless stream.
func (f *fault) flood(stage Stage) []byte {
	if f.Text == "" && stage == Version {
		return []byte(strings.Repeat("all the world's a stage, ", 8) + "\r\n")
	}
	return f.noise()
}
