package sshconn

import (
	"encoding/binary"
	"sync"

	"golang.org/x/crypto/ssh"
)

// sftpPipe is the stream under an SFTP client. It counts the replies,
// because pkg/sftp does not say which writes have been acknowledged.
type sftpPipe struct {
	ch ssh.Channel

	// Only the reading goroutine uses these.
	head [5]byte // length and type of the packet being read
	got  int     // bytes of head
	left uint32  // bytes of the packet after head

	mu       sync.Mutex
	reply    func()
	progress func(int64)
	size     int64
	packet   int64
	acked    int64
}

const sftpStatus = 101 // SSH_FXP_STATUS

func (p *sftpPipe) Write(b []byte) (int, error) { return p.ch.Write(b) }
func (p *sftpPipe) Close() error                { return p.ch.CloseWrite() }

func (p *sftpPipe) Read(b []byte) (int, error) {
	n, err := p.ch.Read(b)
	p.scan(b[:n])
	return n, err
}

// expect begins the count for a file, or ends it with nil functions.
func (p *sftpPipe) expect(reply func(), progress func(int64), size, packet int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reply, p.progress, p.size, p.packet, p.acked = reply, progress, size, packet, 0
}

// scan follows the packets' lengths and counts those of type status.
func (p *sftpPipe) scan(b []byte) {
	for len(b) > 0 {
		if p.left > 0 {
			n := min(uint32(len(b)), p.left)
			p.left -= n
			b = b[n:]
			continue
		}
		p.head[p.got] = b[0]
		b = b[1:]
		if p.got++; p.got < len(p.head) {
			continue
		}
		p.got = 0
		if length := binary.BigEndian.Uint32(p.head[:]); length > 0 {
			p.left = length - 1
		}
		p.countReply(p.head[4])
	}
}

// countReply counts one reply. Until all of a file is acknowledged, each status is
// that of a write: open is answered by a handle.
func (p *sftpPipe) countReply(kind byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reply != nil {
		p.reply()
	}
	if kind != sftpStatus || p.progress == nil || p.acked >= p.size {
		return
	}
	p.acked = min(p.acked+p.packet, p.size)
	p.progress(p.acked)
}
