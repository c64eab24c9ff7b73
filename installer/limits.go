package installer

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
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
	StartUp     time.Duration // from there until the login shell reads our scripts
	Sudo        time.Duration // becoming root
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

// WithDefaults fills in what is zero. An attempt has time for all of its other limits.
func (l Limits) WithDefaults() Limits {
	l = Limits{
		Connect:     cmp.Or(l.Connect, 10*time.Second),
		Handshake:   cmp.Or(l.Handshake, 15*time.Second),
		Auth:        cmp.Or(l.Auth, time.Minute),
		Channel:     cmp.Or(l.Channel, 15*time.Second),
		StartUp:     cmp.Or(l.StartUp, time.Minute),
		Sudo:        cmp.Or(l.Sudo, time.Minute),
		Probe:       cmp.Or(l.Probe, 30*time.Second),
		UploadStall: cmp.Or(l.UploadStall, 30*time.Second),
		Run:         cmp.Or(l.Run, 30*time.Minute),
		Verify:      cmp.Or(l.Verify, 90*time.Second),
		Clean:       cmp.Or(l.Clean, 30*time.Second),
		ExitGrace:   cmp.Or(l.ExitGrace, 2*time.Second),
		Reconnect:   cmp.Or(l.Reconnect, 2*time.Minute),
		Keepalive:   cmp.Or(l.Keepalive, 15*time.Second),
		Attempt:     l.Attempt,
	}
	others := l.Connect + l.Handshake + l.Auth + l.Channel + l.StartUp + l.Sudo + l.Probe + l.Verify + l.Clean + l.Reconnect
	l.Attempt = cmp.Or(l.Attempt, l.Run+max(15*time.Minute, others))
	return l
}

// LimitInfo is one row of the table of limits that users may set.
type LimitInfo struct {
	Name string // for --limit
	What string // is bounded
	Ends string // what the end of the limit becomes, in words
	of   func(*Limits) *time.Duration
}

var limits = []LimitInfo{
	{"connect", "TCP connect, or the channel through a jump host", "`unreachable`", func(l *Limits) *time.Duration { return &l.Connect }},
	{"handshake", "SSH version and key exchange", "`handshake-timeout`", func(l *Limits) *time.Duration { return &l.Handshake }},
	{"auth", "authentication", "`auth-timeout`", func(l *Limits) *time.Duration { return &l.Auth }},
	{"channel", "opening a channel and starting a command", "`channel-denied`", func(l *Limits) *time.Duration { return &l.Channel }},
	{"start-up", "start-up files of the login shell", "`step-timeout`", func(l *Limits) *time.Duration { return &l.StartUp }},
	{"sudo", "becoming root", "`step-timeout`", func(l *Limits) *time.Duration { return &l.Sudo }},
	{"probe", "probe", "`step-timeout`", func(l *Limits) *time.Duration { return &l.Probe }},
	{"upload-stall", "an upload without any byte acknowledged", "`upload-failed`", func(l *Limits) *time.Duration { return &l.UploadStall }},
	{"verify", "verify", "`verify-failed` or `step-timeout`", func(l *Limits) *time.Duration { return &l.Verify }},
	{"clean", "clean", "a note in the log; the result stands", func(l *Limits) *time.Duration { return &l.Clean }},
	{"keepalive", "an unanswered keepalive", "the host is looked for again", func(l *Limits) *time.Duration { return &l.Keepalive }},
	{"reconnect", "looking for a lost host again", "`lost-contact`", func(l *Limits) *time.Duration { return &l.Reconnect }},
	{"attempt", "the whole attempt", "`step-timeout`", func(l *Limits) *time.Duration { return &l.Attempt }},
}

func LimitTable() []LimitInfo { return slices.Clone(limits) }

// Default is the value that the limit has if nothing is said.
func (i LimitInfo) Default() time.Duration {
	l := Limits{}.WithDefaults()
	return *i.of(&l)
}

// DefaultLimits lists them in the form of Set.
func DefaultLimits() string { return Limits{}.WithDefaults().String() }

const longestLimit = 24 * time.Hour

// Set sets the limit of a text NAME=DURATION, such as "auth=90s". The error says what is wrong with it.
func (l *Limits) Set(text string) error {
	name, value, _ := strings.Cut(strings.TrimSpace(text), "=")
	at := slices.IndexFunc(limits, func(i LimitInfo) bool { return i.Name == name })
	if at < 0 {
		var names []string
		for _, i := range limits {
			names = append(names, i.Name)
		}
		return fmt.Errorf("%q: must be NAME=DURATION, where NAME is one of %s", text, strings.Join(names, ", "))
	}
	d, err := time.ParseDuration(value)
	if err != nil || d <= 0 || d > longestLimit {
		return fmt.Errorf("%q: must be a time such as 90s or 5m, and at most 24h", text)
	}
	*limits[at].of(l) = d
	return nil
}

// String lists those that are set, in the form of Set, separated by commas.
func (l Limits) String() string {
	var set []string
	for _, i := range limits {
		if d := *i.of(&l); d != 0 {
			set = append(set, i.Name+"="+ShortDuration(d))
		}
	}
	return strings.Join(set, ", ")
}

// ShortDuration is 1m where Duration says 1m0s.
func ShortDuration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// Or fills in what is zero from another one.
func (l Limits) Or(other Limits) Limits {
	for _, i := range limits {
		*i.of(&l) = cmp.Or(*i.of(&l), *i.of(&other))
	}
	l.Run, l.ExitGrace = cmp.Or(l.Run, other.Run), cmp.Or(l.ExitGrace, other.ExitGrace)
	return l
}
