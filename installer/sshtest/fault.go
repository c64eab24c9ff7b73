package sshtest

import (
	"strings"
	"sync"
	"time"
)

// Stage is a moment in the life of a connection at which a Fault can happen.
type Stage string

const (
	Accept      Stage = "accept"       // the TCP connection is there
	Version     Stage = "version"      // the version string is about to be sent
	KexInit     Stage = "kexinit"      // … the KEXINIT
	NewKeys     Stage = "newkeys"      // … the NEWKEYS
	Auth        Stage = "auth"         // an attempt has come in; Match: its method ("none", "password", …)
	Banner      Stage = "banner"       // the banner's place, before authentication
	ChannelOpen Stage = "channel-open" // Match: the type ("session", "direct-tcpip")
	ExecRequest Stage = "exec-request" // before the command is started; Match: in its line
	SFTPStart   Stage = "sftp-start"   // the subsystem is asked for
	SFTPOpen    Stage = "sftp-open"    // a file is opened; Match: in its path
	SFTPWrite   Stage = "sftp-write"   // a write has come in, After bytes of the file are there; Match: in its path
	SFTPClose   Stage = "sftp-close"   // a file that was written is closed; Match: in its path
	Output      Stage = "output"       // After bytes of output have been sent; Match: in the command's line
	ExitStatus  Stage = "exit-status"  // the command has ended; Match: in its line
	Close       Stage = "close"        // the exit status is sent, the channel would be closed; Match: in the command's line
	Inbound     Stage = "inbound"      // After bytes have come in on the wire
	Outbound    Stage = "outbound"     // After bytes have gone out on the wire
)

// Action is what happens.
type Action string

const (
	// Stall: nothing, until the fault is removed or the connection is closed.
	// On Inbound nothing is read either, so that TCP's buffers fill up.
	Stall Action = "stall"
	// Drop: the connection is closed (FIN).
	Drop Action = "drop"
	// Reset: the connection is closed (RST).
	Reset Action = "reset"
	// Refuse: the protocol's own "no": a text line and a close before the
	// handshake, a failed attempt, a rejected channel, a failed request, an
	// SFTP error.
	Refuse Action = "refuse"
	// Garbage: Text or random bytes, in place of what is due.
	Garbage Action = "garbage"
	// Flood: Text or random bytes without end, in place of what is due: lines
	// at Version, banners at Auth and Banner, global requests at ChannelOpen,
	// output at Output.
	Flood Action = "flood"
	// Drip: what is due, byte by byte, Delay (default 1 s) before each.
	Drip Action = "drip"
	// Delay: what is due, after Fault.Delay.
	Delay Action = "delay"
	// Omit: what is due is left out: at ExitStatus the channel is closed
	// without one.
	Omit Action = "omit"
	// Signal: at ExitStatus, "killed by Text" (default KILL) is told.
	Signal Action = "signal"
	// Lie: at ExitStatus, Code is told whatever it was; at SFTPWrite, all is
	// acknowledged but only half of it written; at Auth, anything is accepted.
	Lie Action = "lie"
)

// Fault is one thing that goes wrong. The zero values of the narrowing fields
// (Conn, Times, Match) mean always.
type Fault struct {
	Stage  Stage
	Action Action
	// Conn: only on the n-th connection that the server accepted, from 1.
	Conn int
	// Times: only so often, then never again.
	Times int
	// Match: only where the stage's detail contains it.
	Match string
	// After so many bytes; for Output, SFTPWrite, Inbound and Outbound.
	After int64
	Delay time.Duration
	Text  string
	Code  int
}

// fault is an injected Fault.
type fault struct {
	Fault
	left    int           // times, if Times > 0
	removed chan struct{} // closed when it is taken away: whoever stalls goes on
}

type faults struct {
	mu  sync.Mutex
	all []*fault
}

func (fs *faults) add(list []Fault) (remove func()) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	var added []*fault
	for _, f := range list {
		added = append(added, &fault{Fault: f, left: f.Times, removed: make(chan struct{})})
	}
	fs.all = append(fs.all, added...)
	return sync.OnceFunc(func() {
		fs.remove(func(f *fault) bool {
			for _, a := range added {
				if a == f {
					return true
				}
			}
			return false
		})
	})
}

func (fs *faults) remove(which func(*fault) bool) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	var kept []*fault
	for _, f := range fs.all {
		if which(f) {
			close(f.removed)
		} else {
			kept = append(kept, f)
		}
	}
	fs.all = kept
}

// at finds the first fault for a stage and uses up one of its times.
func (fs *faults) at(stage Stage, conn int, detail string, bytes int64) *fault {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for _, f := range fs.all {
		switch {
		case f.Stage != stage,
			f.Conn != 0 && f.Conn != conn,
			f.Match != "" && !strings.Contains(detail, f.Match),
			bytes < f.After:
			continue
		}
		if f.Times > 0 {
			if f.left == 0 {
				continue
			}
			f.left--
		}
		return f
	}
	return nil
}
