package sshconn

import (
	"bytes"
	"io"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/crypto/ssh"

	"tripod/installer"
)

const (
	copyBuffer = 4 << 10
	headSize   = 1 << 10 // of a stream is searched for messages of sshd itself
)

// output brings a command's two streams to their writers, one write at a time,
// and none after close: what still comes then is read and dropped.
type output struct {
	pty              bool
	passwordDialogue chan struct{} // closed when a terminal shows the dialogue for a new password

	mu             sync.Mutex
	closed         bool
	stdout, stderr io.Writer // nil: dropped
	head           []byte    // the beginning of the stream that sshd itself writes to
}

func newOutput(cmd installer.Command) *output {
	return &output{pty: cmd.PTY, passwordDialogue: make(chan struct{}), stdout: cmd.Stdout, stderr: cmd.Stderr}
}

// copyFrom returns a channel that is closed when both streams have ended.
func (o *output) copyFrom(ch ssh.Channel) <-chan struct{} {
	drained := make(chan struct{})
	var left atomic.Int32
	left.Store(2)
	pump := func(r io.Reader, to *io.Writer, fromSSHD bool) {
		buf := make([]byte, copyBuffer)
		for n, err := 0, error(nil); err == nil; {
			n, err = r.Read(buf)
			o.write(to, buf[:n], fromSSHD)
		}
		if left.Add(-1) == 0 {
			close(drained)
		}
	}
	go pump(ch, &o.stdout, o.pty)
	go pump(ch.Stderr(), &o.stderr, !o.pty)
	return drained
}

// write passes p on, and looks for sshd's own message about an expired password.
func (o *output) write(to *io.Writer, p []byte, fromSSHD bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed || len(p) == 0 {
		return
	}
	if fromSSHD && len(o.head) < headSize {
		before := asksOnTerminal(o.head)
		o.head = append(o.head, p[:min(len(p), headSize-len(o.head))]...)
		if o.pty && !before && asksOnTerminal(o.head) {
			close(o.passwordDialogue)
		}
	}
	if *to != nil {
		if _, err := (*to).Write(p); err != nil {
			*to = nil
		}
	}
}

// close waits for a write in progress; there is none afterwards.
func (o *output) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
}

func (o *output) expired() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return sshdExpired(o.head) || o.pty && asksOnTerminal(o.head)
}

func sshdExpired(head []byte) bool {
	return contains(head, "Your password has expired", "Password change required but no TTY available")
}

// asksOnTerminal recognises the dialogue that sshd begins on a terminal. Only
// the first session of a connection gets the reason.
func asksOnTerminal(head []byte) bool {
	return sshdExpired(head) ||
		contains(head, "You are required to change your password", "You must change your password now") ||
		contains(head, "Changing password for") && contains(head, "urrent password")
}

func contains(head []byte, texts ...string) bool {
	return slices.ContainsFunc(texts, func(text string) bool { return bytes.Contains(head, []byte(text)) })
}
