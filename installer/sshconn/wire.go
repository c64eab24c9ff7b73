package sshconn

import (
	"bytes"
	"errors"
	"net"
	"sync/atomic"
)

// What a server may say before its version line. RFC 4253 allows lines there
// and x/crypto takes 1024 of them; nobody honest sends more than a few.
const (
	maxPreambleLines = 32
	maxPreambleBytes = 8 << 10
)

var (
	errPreamble  = errors.New("too much text before the SSH version")
	errThrottled = errors.New("the server turns connections away")
)

// wire is the net.Conn under an SSH connection. It reads the version exchange
// ahead (x/crypto reads that byte by byte, a system call each), keeps what is
// needed to say why a handshake failed, and counts reads for the keepalive.
type wire struct {
	net.Conn
	reads   atomic.Uint32 // changes whenever the peer has sent something
	broken  atomic.Pointer[error]
	ahead   []byte
	version bool // the version line has been read

	line     []byte // the one being read
	first    []byte // the first line that is not a version
	lines, n int
	refused  error // why no more is read before the version
}

func (w *wire) Read(p []byte) (int, error) {
	if w.refused != nil {
		return 0, w.refused
	}
	if len(w.ahead) == 0 {
		if w.version {
			return w.fill(p)
		}
		buf := make([]byte, 512)
		n, err := w.fill(buf)
		if n == 0 {
			return 0, err
		}
		w.ahead = buf[:n]
	}
	n := copy(p, w.ahead)
	w.ahead = w.ahead[n:]
	if len(w.ahead) == 0 {
		w.ahead = nil
	}
	if !w.version {
		w.preamble(p[:n])
	}
	return n, nil
}

func (w *wire) fill(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if n > 0 {
		w.reads.Add(1)
	}
	if err != nil {
		w.note(err)
	}
	return n, err
}

func (w *wire) Write(p []byte) (int, error) {
	n, err := w.Conn.Write(p)
	if err != nil {
		w.note(err)
	}
	return n, err
}

func (w *wire) note(err error) { w.broken.CompareAndSwap(nil, &err) }

// err is the first error of the connection below SSH, or nil.
func (w *wire) err() error {
	if e := w.broken.Load(); e != nil {
		return *e
	}
	return nil
}

// refuse has the next Read fail.
func (w *wire) refuse(err error) {
	w.refused = err
	w.note(err)
}

// preamble looks at what comes up to the version line.
func (w *wire) preamble(p []byte) {
	for _, b := range p {
		w.n++
		if b != '\n' {
			if len(w.line) < 256 {
				w.line = append(w.line, b)
			}
			continue
		}
		if bytes.HasPrefix(w.line, []byte("SSH-")) {
			w.version, w.line = true, nil
			return
		}
		if turnedAway(w.line) {
			w.refuse(errThrottled)
			return
		}
		if w.lines++; w.lines == 1 {
			w.first = bytes.Clone(w.line)
		}
		w.line = w.line[:0]
	}
	if w.lines > maxPreambleLines || w.n > maxPreambleBytes {
		w.refuse(errPreamble)
	}
}

// said is what the server sent in place of a version line, or nil.
func (w *wire) said() []byte {
	if w.first != nil {
		return w.first
	}
	return w.line
}

// turnedAway recognises OpenSSH's words for MaxStartups and PerSourcePenalties.
func turnedAway(line []byte) bool {
	return bytes.Contains(line, []byte("Exceeded MaxStartups")) ||
		bytes.Contains(line, []byte("Not allowed at this time"))
}
