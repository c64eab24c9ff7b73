package local

import (
	"context"
	"net"
)

// Pipe is a listener for connections from within the process.
type Pipe struct {
	conns chan net.Conn
	open  context.Context
	close context.CancelFunc
}

func NewPipe() *Pipe {
	p := &Pipe{conns: make(chan net.Conn)}
	p.open, p.close = context.WithCancel(context.Background())
	return p
}

func (p *Pipe) Dial(ctx context.Context) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case p.conns <- far:
		return near, nil
	case <-p.open.Done():
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (p *Pipe) Accept() (net.Conn, error) {
	select {
	case conn := <-p.conns:
		return conn, nil
	case <-p.open.Done():
		return nil, net.ErrClosed
	}
}

func (p *Pipe) Close() error {
	p.close()
	return nil
}

func (p *Pipe) Addr() net.Addr { return &net.UnixAddr{Net: "pipe"} }
