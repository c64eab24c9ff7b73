package sshtest

import (
	"context"
	"maps"
	"slices"
	"sync"
)

// Counts is what a Server has seen so far.
type Counts struct {
	Connections  int // accepted, the dropped ones too
	Open         int // now
	MaxOpen      int // at once
	Dropped      int // by MaxStartups
	ClientClosed int // connections that the client ended
	ServerClosed int // … and those that the server ended
	Handshakes   int // completed with a login
	Attempts     map[string]int
	Accepted     map[string]int // logins by method
	// Passwords are all that were received, right or wrong, also as answers
	// to keyboard-interactive questions.
	Passwords []string
	Sessions  int      // channels of type session
	Execs     []string // command lines, in the order of their coming
	ExecInput int64    // bytes sent to commands
	SFTPs     int      // subsystems started
	Uploaded  int64    // bytes written through SFTP
	Forwards  []string // "host:port", also those refused
	Env       []string // "NAME=value" that clients asked to set
	PTYs      int
	Faults    map[Stage]int // how often one struck
}

// counter guards Counts and wakes who waits for a change.
type counter struct {
	mu      sync.Mutex
	c       Counts
	changed chan struct{} // closed and replaced at each change
}

func newCounter() *counter {
	return &counter{
		c:       Counts{Attempts: map[string]int{}, Accepted: map[string]int{}, Faults: map[Stage]int{}},
		changed: make(chan struct{}),
	}
}

func (k *counter) add(change func(*Counts)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	change(&k.c)
	close(k.changed)
	k.changed = make(chan struct{})
}

func (k *counter) get() (Counts, <-chan struct{}) {
	k.mu.Lock()
	defer k.mu.Unlock()
	c := k.c
	c.Attempts = maps.Clone(c.Attempts)
	c.Accepted = maps.Clone(c.Accepted)
	c.Faults = maps.Clone(c.Faults)
	c.Passwords = slices.Clone(c.Passwords)
	c.Execs = slices.Clone(c.Execs)
	c.Forwards = slices.Clone(c.Forwards)
	c.Env = slices.Clone(c.Env)
	return c, k.changed
}

// Counts returns a copy of what was counted so far.
func (s *Server) Counts() Counts {
	c, _ := s.counts.get()
	return c
}

// Wait returns when cond holds for the counts, or with ctx's error.
func (s *Server) Wait(ctx context.Context, cond func(Counts) bool) error {
	for {
		c, changed := s.counts.get()
		if cond(c) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
