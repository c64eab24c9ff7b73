package sshdial

import (
	"bytes"
	"errors"

	"tripod/installer/sshconn"
)

// What a server may send before its version line. RFC 4253 allows lines there
// and x/crypto takes 1024 of them; no real server sends more than a few.
const (
	maxPreambleLines = 32
	maxPreambleBytes = 8 << 10
)

var (
	errPreamble  = errors.New("too much text before the SSH version")
	errThrottled = errors.New("the server turns connections away")
)

// preambleReader is the connection of a handshake. It reads the version
// exchange ahead (x/crypto reads that byte by byte, a system call each), and
// keeps what is needed to say why a handshake failed.
type preambleReader struct {
	*sshconn.Wire
	ahead   []byte
	version bool // the version line has been read

	line     []byte // the one being read
	first    []byte // the first line that is not a version
	lines, n int
	refused  error // why no more is read before the version
}

func (r *preambleReader) Read(p []byte) (int, error) {
	if r.refused != nil {
		return 0, r.refused
	}
	if len(r.ahead) == 0 {
		if r.version {
			return r.Wire.Read(p)
		}
		buf := make([]byte, 512)
		n, err := r.Wire.Read(buf)
		if n == 0 {
			return 0, err
		}
		r.ahead = buf[:n]
	}
	n := copy(p, r.ahead)
	r.ahead = r.ahead[n:]
	if len(r.ahead) == 0 {
		r.ahead = nil
	}
	if !r.version {
		r.inspect(p[:n])
	}
	return n, nil
}

// Err is why reading was refused, or else the first error below SSH.
func (r *preambleReader) Err() error {
	if r.refused != nil {
		return r.refused
	}
	return r.Wire.Err()
}

// inspect looks at what comes up to the version line.
func (r *preambleReader) inspect(p []byte) {
	for _, b := range p {
		r.n++
		if b != '\n' {
			if len(r.line) < 256 {
				r.line = append(r.line, b)
			}
			continue
		}
		if bytes.HasPrefix(r.line, []byte("SSH-")) {
			r.version, r.line = true, nil
			return
		}
		if saysThrottled(r.line) {
			r.refused = errThrottled
			return
		}
		if r.lines++; r.lines == 1 {
			r.first = bytes.Clone(r.line)
		}
		r.line = r.line[:0]
	}
	if r.lines > maxPreambleLines || r.n > maxPreambleBytes {
		r.refused = errPreamble
	}
}

// received is the first line the server sent in place of a version, or nil.
func (r *preambleReader) received() []byte {
	if r.first != nil {
		return r.first
	}
	return r.line
}

// saysThrottled recognises OpenSSH's messages of MaxStartups and
// PerSourcePenalties.
func saysThrottled(line []byte) bool {
	return bytes.Contains(line, []byte("Exceeded MaxStartups")) ||
		bytes.Contains(line, []byte("Not allowed at this time"))
}
