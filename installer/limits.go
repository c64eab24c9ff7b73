package installer

import "time"

// DefaultParallel is how many hosts are worked on at once if nothing is said.
const DefaultParallel = 32

// Limits bound every wait of an attempt. A zero field means its default.
type Limits struct {
	Connect     time.Duration // TCP connect, or the channel through an installer; default 10 s
	Handshake   time.Duration // version and key exchange, whole; default 15 s
	Auth        time.Duration // authentication, whole; default 20 s
	Channel     time.Duration // opening a channel and starting a command on it; default 15 s
	Probe       time.Duration // default 30 s
	UploadStall time.Duration // no byte acknowledged for so long; default 30 s
	Run         time.Duration // the script; default 30 min; Spec.RunTimeout goes before it
	Verify      time.Duration // default 90 s
	Clean       time.Duration // default 30 s
	ExitGrace   time.Duration // draining output after the exit status; default 2 s
	Reconnect   time.Duration // finding a lost host again within one attempt; default 2 min
	Keepalive   time.Duration // an unanswered keepalive means lost; default 15 s
	// Attempt bounds all of it together, so that drips cannot stretch it.
	// Default: Run + 15 min.
	Attempt time.Duration
}

// WithDefaults fills in the zero fields.
func (l Limits) WithDefaults() Limits {
	for _, f := range []struct {
		at  *time.Duration
		def time.Duration
	}{
		{&l.Connect, 10 * time.Second},
		{&l.Handshake, 15 * time.Second},
		{&l.Auth, 20 * time.Second},
		{&l.Channel, 15 * time.Second},
		{&l.Probe, 30 * time.Second},
		{&l.UploadStall, 30 * time.Second},
		{&l.Run, 30 * time.Minute},
		{&l.Verify, 90 * time.Second},
		{&l.Clean, 30 * time.Second},
		{&l.ExitGrace, 2 * time.Second},
		{&l.Reconnect, 2 * time.Minute},
		{&l.Keepalive, 15 * time.Second},
	} {
		if *f.at == 0 {
			*f.at = f.def
		}
	}
	if l.Attempt == 0 {
		l.Attempt = l.Run + 15*time.Minute
	}
	return l
}
