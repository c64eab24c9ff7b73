package hostshell

import (
	"bytes"
	"io"
	"strings"
	"sync"
)

const (
	maxFrame = 4096 // bytes of one finding's line; longer ones are dropped
	maxNoise = 2048 // bytes kept of what is neither finding nor output
)

// frames parses the standard output of a host script: findings, which are "tripod: NONCE …\n"; the
// output of the script that is followed, between the findings "begin" and "end"; and noise of a
// login shell. All of it may be hostile: only who knows the nonce can make a finding.
type frames struct {
	marker []byte
	out    io.Writer // gets the followed output; nil: dropped
	each   func(Finding)

	mu      sync.Mutex
	closed  bool
	inside  bool   // between begin and end
	pending []byte // may be the start of a marker, or is a finding without its end
	noise   []byte
	written int64 // bytes of output passed on
}

func newFrames(nonce string, out io.Writer, each func(Finding)) *frames {
	// Not only at the beginning of a line: output may have left one open.
	return &frames{marker: []byte("tripod: " + nonce + " "), out: out, each: each}
}

// Write never fails: what a host prints must not end the conversation.
func (f *frames) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.closed {
		rest := f.read(append(f.pending, p...))
		f.pending = append([]byte(nil), rest...)
	}
	return len(p), nil
}

func (f *frames) read(b []byte) []byte {
	for {
		at := bytes.Index(b, f.marker)
		if at < 0 {
			keep := f.markerStart(b)
			f.raw(b[:len(b)-keep])
			return b[len(b)-keep:]
		}
		f.raw(b[:at])
		b = b[at:]
		end := bytes.IndexByte(b, '\n')
		if end < 0 {
			return b[:min(len(b), len(f.marker)+maxFrame+1)] // one too long stays too long
		}
		if line := b[len(f.marker):end]; len(line) <= maxFrame {
			f.pass(ParseFinding(strings.TrimSuffix(string(line), "\r")))
		}
		b = b[end+1:]
	}
}

func (f *frames) pass(found Finding) {
	switch found.Word {
	case "begin":
		f.inside = true
	case "end", "failed", "busy":
		f.inside = false
	}
	if f.each != nil {
		f.each(found)
	}
}

func (f *frames) markerStart(p []byte) int {
	for n := min(len(f.marker)-1, len(p)); n > 0; n-- {
		if bytes.HasPrefix(f.marker, p[len(p)-n:]) {
			return n
		}
	}
	return 0
}

func (f *frames) raw(p []byte) {
	switch {
	case len(p) == 0:
	case f.inside:
		f.written += int64(len(p))
		if f.out != nil {
			_, _ = f.out.Write(p)
		}
	case len(f.noise) < maxNoise:
		f.noise = append(f.noise, p[:min(len(p), maxNoise-len(f.noise))]...)
	}
}

// close ends the stream: what comes later is dropped. It returns the noise and
// how many bytes of output were passed on. What was held back is output too.
func (f *frames) close() (noise string, written int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.closed && !bytes.HasPrefix(f.pending, f.marker) {
		f.raw(f.pending)
	}
	f.closed = true
	return string(f.noise), f.written
}
