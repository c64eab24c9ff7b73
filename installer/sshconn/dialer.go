package sshconn

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"tripod/installer"
)

// DefaultHandshakesPerInstaller is how many targets behind one installer may
// be in their handshake at the same time.
const DefaultHandshakesPerInstaller = 8

// Config says how a Dialer works. Only HostKeys is required, and not even that
// if every Dial is Insecure or has a pin of its own.
type Config struct {
	// Limits bound every wait; zero fields have their defaults.
	Limits installer.Limits
	// HostKeys keeps the pins.
	HostKeys installer.HostKeys
	// KnownHosts are known_hosts files for Strict; those that do not exist are
	// passed over.
	KnownHosts []string
	// Policy decides on the address really dialled, unmapped. Nil allows all.
	// Behind an installer it is asked too: names are resolved on this side then.
	Policy func(netip.AddrPort) error
	// Ways finds the installers of a host that is reached through those of its
	// project. Nil: no host is.
	Ways installer.Wayfinder
	// Clock tells how long ago an installer could not be used. Nil: time.Now.
	Clock func() time.Time
	// Logger gets debug lines, and a warning for each installer that is passed
	// over; no secrets. Nil: none.
	Logger *slog.Logger
	// HandshakesPerInstaller bounds the handshakes through one installer
	// connection. Zero: DefaultHandshakesPerInstaller.
	HandshakesPerInstaller int
}

// Dialer opens connections. It keeps what hosts share: parsed private keys
// and the connections to installers. Safe for use by many goroutines.
type Dialer struct {
	cfg     Config
	limits  installer.Limits
	log     *slog.Logger
	signers *signerCache
	known   knownHosts
	pinning [64]sync.Mutex // by host, so that two first contacts do not pin two keys
	dialTCP func(ctx context.Context, addr string) (net.Conn, error)
	lookup  func(ctx context.Context, name string) ([]netip.Addr, error)

	ctx    context.Context // of dials to installers; ended by Close
	cancel context.CancelFunc
	wg     sync.WaitGroup // dials to installers

	mu         sync.Mutex
	closed     bool
	installers map[string]*shared

	unwell unwell
}

// New makes a Dialer. Close it to end its connections to installers.
func New(cfg Config) *Dialer {
	cfg.Limits = cfg.Limits.WithDefaults()
	if cfg.HandshakesPerInstaller <= 0 {
		cfg.HandshakesPerInstaller = DefaultHandshakesPerInstaller
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	d := &Dialer{
		cfg:        cfg,
		limits:     cfg.Limits,
		log:        cfg.Logger,
		signers:    newSignerCache(),
		known:      knownHosts{paths: cfg.KnownHosts},
		installers: make(map[string]*shared),
		unwell:     newUnwell(cfg.Clock, cfg.Limits),
	}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	d.dialTCP, d.lookup = d.dialDirect, lookupHere
	return d
}

// Close ends the connections to installers, and with them those of targets
// behind them. It does not wait for any server.
func (d *Dialer) Close() error {
	d.mu.Lock()
	d.closed = true
	all := make([]*shared, 0, len(d.installers))
	for _, s := range d.installers {
		s.take() // so that nobody else closes it meanwhile
		all = append(all, s)
	}
	d.mu.Unlock()

	d.cancel()
	d.wg.Wait()
	for _, s := range all {
		if s.conn != nil {
			_ = s.conn.Close()
		}
		s.release()
	}
	d.signers.clear()
	return nil
}

// Dial connects to host, checks its host key and logs in, each within its own
// limit (Limits.Connect, Handshake, Auth). A host that is reached Through
// installers goes by the first healthy one, and creds.Via is not asked. Its error
// is an *installer.Failure; one that happened on an installer names it in its
// Detail. The connection outlives ctx.
func (d *Dialer) Dial(ctx context.Context, project string, host installer.Host, creds installer.Credentials, policy installer.HostKeyPolicy) (*Conn, error) {
	started := time.Now()
	c, fail := d.dial(ctx, project, host, creds, policy)
	if fail != nil {
		d.log.Debug("dial failed", "project", project, "address", host.HostPort(), "kind", fail.Kind, "duration", time.Since(started))
		return nil, fail
	}
	d.log.Debug("dialled", "project", project, "address", host.HostPort(), "duration", time.Since(started))
	return c, nil
}

func (d *Dialer) dial(ctx context.Context, project string, host installer.Host, creds installer.Credentials, policy installer.HostKeyPolicy) (*Conn, *installer.Failure) {
	if ctx.Err() != nil {
		return nil, ctxFailure(ctx, "before connecting")
	}
	if host.Through != nil {
		return d.dialThroughAny(ctx, project, host, creds.Login, policy)
	}
	if len(creds.Via) < len(host.Via) {
		return nil, installer.Fail(installer.KindCredentialMissing, "no login for installer %s", host.Via[len(creds.Via)].HostPort())
	}
	logins, fail := d.hopLogins(ctx, project, host.Via, creds.Via)
	if fail != nil {
		return nil, fail
	}
	c, fail, _ := d.reach(ctx, d.attempt(project, host, creds.Login, policy), installer.Way{Hops: host.Via, Logins: logins})
	if fail == nil {
		d.wellAgain(project, append(slices.Clip(host.Via), host.Endpoint), append(slices.Clip(logins), creds.Login), policy)
	}
	return c, fail
}

func (d *Dialer) attempt(project string, host installer.Host, login installer.Login, policy installer.HostKeyPolicy) *attempt {
	return &attempt{
		d:       d,
		to:      host.Endpoint,
		user:    host.User,
		address: host.HostPort(),
		project: project,
		pin:     host.HostKey,
		policy:  policy,
		login:   login,
	}
}

// whose is the fault of a failure to connect.
type whose int

const (
	theTargets whose = iota
	// theInstallers: there is no connection to it, as it is for everybody.
	theInstallers
	// theForwardings: the installer is there, and did not forward to this target,
	// or went away meanwhile.
	theForwardings
	// nobodys: nothing was dialled, the installer was not asked.
	nobodys
)

// reach connects along a way, which may be empty, and says whose fault it is if
// it cannot.
func (d *Dialer) reach(ctx context.Context, at *attempt, by installer.Way) (*Conn, *installer.Failure, whose) {
	if fail := at.prepare(ctx); fail != nil {
		return nil, fail, nobodys
	}
	if len(by.Hops) == 0 {
		c, fail := d.dialLoop(ctx, at, func() (net.Conn, *installer.Failure) {
			nc, err := d.dialTCP(ctx, at.address)
			if err != nil {
				return nil, dialFailure(ctx, at.address, err)
			}
			return nc, nil
		})
		return c, fail, theTargets
	}
	via, fail := d.acquire(ctx, at.project, by.Hops, by.Logins, at.policy)
	if fail != nil {
		return nil, fail, theInstallers
	}
	fault := theTargets
	c, fail := d.dialLoop(ctx, at, func() (nc net.Conn, fail *installer.Failure) {
		nc, fail, fault = d.dialThrough(ctx, via, at.to)
		return nc, fail
	})
	if fail != nil {
		if via.conn.broken() && ctx.Err() == nil {
			// Whatever it looked like from here, it was not the target's doing.
			fail, fault = atInstaller(via.name, via.conn.lost("while connecting to "+at.address)), theForwardings
		}
		via.release()
		return nil, fail, fault
	}
	c.release, c.hops = via.release, by.Hops
	return c, nil, theTargets
}

// dialLoop connects and shakes hands. A server may have keys of several types
// and a fingerprint does not tell which one it is of: then, and only then, it
// comes again and asks for another type. Nothing secret has been sent before.
func (d *Dialer) dialLoop(ctx context.Context, at *attempt, connect func() (net.Conn, *installer.Failure)) (*Conn, *installer.Failure) {
	for {
		nc, fail := connect()
		if fail != nil {
			return nil, fail
		}
		c, fail := at.handshake(ctx, nc)
		if fail == nil {
			return c, nil
		}
		if !at.tryOtherType(fail) {
			return nil, fail
		}
	}
}
