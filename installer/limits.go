package installer

import (
	"cmp"
	"time"
)

// DefaultParallel is how many hosts are worked on at once if nothing is said.
const DefaultParallel = 32

// Limits bound every wait of an attempt. A zero field means its default.
type Limits struct {
	Connect     time.Duration // TCP connect, or the channel through a jump host
	Handshake   time.Duration // version and key exchange, whole
	Auth        time.Duration // authentication, whole
	Channel     time.Duration // opening a channel and starting a command on it
	Probe       time.Duration
	UploadStall time.Duration // no byte acknowledged for so long
	Run         time.Duration // the script; Spec.RunTimeout goes before it
	Verify      time.Duration
	Clean       time.Duration
	ExitGrace   time.Duration // draining output after the exit status
	Reconnect   time.Duration // finding a lost host again within one attempt
	Keepalive   time.Duration // an unanswered keepalive means lost
	Attempt     time.Duration // all of it together, so that drips cannot stretch it
}

func (l Limits) WithDefaults() Limits {
	run := cmp.Or(l.Run, 30*time.Minute)
	return Limits{
		Connect:     cmp.Or(l.Connect, 10*time.Second),
		Handshake:   cmp.Or(l.Handshake, 15*time.Second),
		Auth:        cmp.Or(l.Auth, 20*time.Second),
		Channel:     cmp.Or(l.Channel, 15*time.Second),
		Probe:       cmp.Or(l.Probe, 30*time.Second),
		UploadStall: cmp.Or(l.UploadStall, 30*time.Second),
		Run:         run,
		Verify:      cmp.Or(l.Verify, 90*time.Second),
		Clean:       cmp.Or(l.Clean, 30*time.Second),
		ExitGrace:   cmp.Or(l.ExitGrace, 2*time.Second),
		Reconnect:   cmp.Or(l.Reconnect, 2*time.Minute),
		Keepalive:   cmp.Or(l.Keepalive, 15*time.Second),
		Attempt:     cmp.Or(l.Attempt, run+15*time.Minute),
	}
}
