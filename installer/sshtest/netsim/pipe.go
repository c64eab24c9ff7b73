// Package netsim has the network of test hosts: pipes, latency, ports that are held.
package netsim

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// What one direction of a Pipe holds, as sockets do: net.Pipe holds nothing,
// and two SSH ends that greet at once would block each other. A long way holds
// more: SSH's window of 2 MiB must fit.
const (
	pipeBuffer = 256 << 10
	longBuffer = 4 << 20
)

// Pipe returns a connection in memory, for Server.ServeConn and its client.
// It uses no network and only channels, mutexes and timers, so it works in a
// testing/synctest bubble.
func Pipe() (client, server net.Conn) { return DelayedPipe(0) }

// DelayedPipe is a Pipe on which everything takes so long, in each direction.
func DelayedPipe(latency time.Duration) (client, server net.Conn) {
	a, b := newStream(latency), newStream(latency)
	return newPipeEnd(a, b), newPipeEnd(b, a)
}

// stream is one direction.
type stream struct {
	mu      sync.Mutex
	changed chan struct{} // closed and replaced at each change
	latency time.Duration
	most    int // bytes that it holds
	parts   []part
	size    int
	eof     bool // no more is written
	broken  bool // the reader has gone
}

type part struct {
	data []byte
	due  time.Time
}

func newStream(latency time.Duration) *stream {
	s := &stream{latency: latency, most: pipeBuffer, changed: make(chan struct{})}
	if latency > 0 {
		s.most = longBuffer
	}
	return s
}

// wake tells who waits. mu is held.
func (s *stream) wake() {
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *stream) end(eof bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if eof {
		s.eof = true
	} else {
		s.broken, s.parts, s.size = true, nil, 0
	}
	s.wake()
}

// read takes what is due; else it says how long to wait (0: for a change).
func (s *stream) read(p []byte) (n int, wait time.Duration, changed <-chan struct{}, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.broken:
		return 0, 0, nil, net.ErrClosed
	case len(s.parts) == 0 && s.eof:
		return 0, 0, nil, io.EOF
	case len(s.parts) == 0:
		return 0, 0, s.changed, nil
	}
	if wait = time.Until(s.parts[0].due); s.latency > 0 && wait > 0 {
		return 0, wait, s.changed, nil
	}
	n = copy(p, s.parts[0].data)
	if s.parts[0].data = s.parts[0].data[n:]; len(s.parts[0].data) == 0 {
		s.parts = s.parts[1:]
	}
	s.size -= n
	s.wake()
	return n, 0, nil, nil
}

func (s *stream) write(p []byte) (n int, changed <-chan struct{}, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.eof:
		return 0, nil, net.ErrClosed
	case s.broken:
		return 0, nil, io.ErrClosedPipe
	case s.size >= s.most:
		return 0, s.changed, nil
	}
	n = min(len(p), s.most-s.size)
	s.parts = append(s.parts, part{append([]byte(nil), p[:n]...), time.Now().Add(s.latency)})
	s.size += n
	s.wake()
	return n, nil, nil
}

// pipeEnd is one end of a Pipe.
type pipeEnd struct {
	in, out             *stream
	readLimit, writeLim *limit
}

func newPipeEnd(in, out *stream) *pipeEnd { return &pipeEnd{in, out, newLimit(), newLimit()} }

func (e *pipeEnd) Read(p []byte) (int, error) {
	for {
		if e.readLimit.over() {
			return 0, os.ErrDeadlineExceeded
		}
		n, wait, changed, err := e.in.read(p)
		if changed == nil {
			return n, err
		}
		e.readLimit.wait(changed, wait)
	}
}

func (e *pipeEnd) Write(p []byte) (int, error) {
	total := 0
	for len(p) > 0 {
		if e.writeLim.over() {
			return total, os.ErrDeadlineExceeded
		}
		n, changed, err := e.out.write(p)
		total, p = total+n, p[n:]
		if err != nil {
			return total, err
		}
		if changed != nil {
			e.writeLim.wait(changed, 0)
		}
	}
	return total, nil
}

func (e *pipeEnd) Close() error {
	e.out.end(true)
	e.in.end(false)
	return nil
}

func (e *pipeEnd) LocalAddr() net.Addr                { return pipeAddr{} }
func (e *pipeEnd) RemoteAddr() net.Addr               { return pipeAddr{} }
func (e *pipeEnd) SetReadDeadline(t time.Time) error  { e.readLimit.set(t); return nil }
func (e *pipeEnd) SetWriteDeadline(t time.Time) error { e.writeLim.set(t); return nil }
func (e *pipeEnd) SetDeadline(t time.Time) error {
	e.readLimit.set(t)
	e.writeLim.set(t)
	return nil
}

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe" }

// limit is a deadline that can be moved while somebody waits.
type limit struct {
	mu    sync.Mutex
	at    time.Time
	moved chan struct{}
}

func newLimit() *limit { return &limit{moved: make(chan struct{})} }

func (l *limit) set(t time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at = t
	close(l.moved)
	l.moved = make(chan struct{})
}

func (l *limit) over() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.at.IsZero() && !time.Now().Before(l.at)
}

// wait returns at a change, after most if that is not 0, or at the limit.
func (l *limit) wait(changed <-chan struct{}, most time.Duration) {
	l.mu.Lock()
	at, moved := l.at, l.moved
	l.mu.Unlock()
	if left := time.Until(at); !at.IsZero() && (most == 0 || left < most) {
		most = max(left, time.Nanosecond)
	}
	var timeout <-chan time.Time
	if most > 0 {
		t := time.NewTimer(most)
		defer t.Stop()
		timeout = t.C
	}
	select {
	case <-changed:
	case <-moved:
	case <-timeout:
	}
}
