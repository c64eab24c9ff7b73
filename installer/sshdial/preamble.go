package sshdial

import (
	"bufio"
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

// preambleReader is the connection of a handshake. It buffers the version
// exchange (x/crypto reads that byte by byte, a system call each), and
// keeps what is needed to say why a handshake failed.
type preambleReader struct {
	*sshconn.Wire
	buffered *bufio.Reader
	version  bool // the version line has been read

	text      []byte // what came before it
	line      int    // where in text the line begins that is being read
	throttled []byte // the line that says so
	refused   error  // why no more is read before the version
}

func newPreambleReader(wire *sshconn.Wire) *preambleReader {
	return &preambleReader{Wire: wire, buffered: bufio.NewReaderSize(wire, 512)}
}

func (r *preambleReader) Read(p []byte) (int, error) {
	if r.refused != nil {
		return 0, r.refused
	}
	n, err := r.buffered.Read(p)
	if !r.version {
		r.inspect(p[:n])
	}
	return n, err
}

// Err is why reading was refused, or else the first error below SSH.
func (r *preambleReader) Err() error {
	if r.refused != nil {
		return r.refused
	}
	return r.Wire.Err()
}

func (r *preambleReader) inspect(p []byte) {
	r.text = append(r.text, p...)
	for {
		line, _, whole := bytes.Cut(r.text[r.line:], []byte("\n"))
		switch {
		case !whole:
			if bytes.Count(r.text, []byte("\n")) > maxPreambleLines || len(r.text) > maxPreambleBytes {
				r.refused = errPreamble
			}
			return
		case bytes.HasPrefix(line, []byte("SSH-")):
			r.version, r.text = true, nil
			return
		case saysThrottled(line):
			r.throttled, r.refused = line, errThrottled
			return
		}
		r.line += len(line) + 1
	}
}

// received is the first line that the server sent in place of a version, or nil.
func (r *preambleReader) received() []byte {
	line, _, _ := bytes.Cut(r.text, []byte("\n"))
	return line
}

// saysThrottled recognises OpenSSH's messages of MaxStartups and PerSourcePenalties.
func saysThrottled(line []byte) bool {
	return bytes.Contains(line, []byte("Exceeded MaxStartups")) ||
		bytes.Contains(line, []byte("Not allowed at this time"))
}
