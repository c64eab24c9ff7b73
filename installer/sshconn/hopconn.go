package sshconn

import (
	"io"
	"net"
	"sync"

	"golang.org/x/crypto/ssh"
)

// hopConn is a channel through an installer as a net.Conn with deadlines and
// a Close that waits for nobody, which an ssh.Channel does not have: two
// goroutines copy between the channel and a net.Pipe. They end when the
// installer's server closes the channel, or with the installer's connection.
type hopConn struct {
	net.Conn
	remote hostAddr
}

const hopBuffer = 16 << 10

func newHopConn(via *Conn, ch ssh.Channel, reqs <-chan *ssh.Request, remote string) *hopConn {
	near, far := net.Pipe()
	go ssh.DiscardRequests(reqs)
	go func() { // from us to the target
		buf := make([]byte, hopBuffer)
		for {
			n, err := far.Read(buf)
			if n > 0 {
				if _, werr := ch.Write(buf[:n]); werr != nil {
					break
				}
			}
			if err != nil {
				break
			}
		}
		_ = far.Close()
		via.closeChannel(ch)
	}()
	go func() { // from the target to us
		_, _ = io.CopyBuffer(struct{ io.Writer }{far}, struct{ io.Reader }{ch}, make([]byte, hopBuffer))
		_ = far.Close()
	}()
	return &hopConn{Conn: near, remote: hostAddr(remote)}
}

func (h *hopConn) RemoteAddr() net.Addr { return h.remote }

// slotConn holds a place among the handshakes through an installer until the
// handshake is over.
type slotConn struct {
	net.Conn
	slots chan struct{}
	once  sync.Once
}

func (s *slotConn) handshakeOver() { s.once.Do(func() { <-s.slots }) }

func (s *slotConn) Close() error {
	s.handshakeOver()
	return s.Conn.Close()
}
