package sshconn

import (
	"net"
	"sync/atomic"
)

// Wire is the net.Conn under an SSH connection. It counts reads, for the
// keepalive, and keeps the first error, which says how the connection ended.
type Wire struct {
	net.Conn
	reads atomic.Uint32 // changes whenever the peer has sent something
	first atomic.Pointer[error]
}

// NewWire returns the Wire over nc.
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

// Err is the first error of a read or write, or nil.
func (w *Wire) Err() error {
	if err := w.first.Load(); err != nil {
		return *err
	}
	return nil
}
