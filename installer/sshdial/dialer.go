package sshdial

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"

	"tripod/installer"
	"tripod/installer/sshconn"
)

const handshakesPerJumpHost = 8 // targets behind one jump host

// HostKeys keeps host keys by address and port. All routes to a host have one list: it
// shows the same key by each of them.
type HostKeys interface {
	// PinnedKeys returns the pins in authorized_keys form ("ssh-ed25519 AAAA…").
	PinnedKeys(ctx context.Context, project, hostPort string) ([]string, error)
	// PinKey adds one; on disk when it returns nil.
	PinKey(ctx context.Context, project, hostPort, key string) error
}

// Config says how a Dialer works. Only HostKeys is required, and not even that
// if every Dial is Insecure or has a pin of its own.
type Config struct {
	Limits     installer.Limits
	HostKeys   HostKeys
	KnownHosts []string // for Strict; files that do not exist are ignored
	// Policy decides on the address really dialled, unmapped. Nil allows all.
	// It also applies behind a jump host: names are resolved on this side then.
	Policy func(netip.AddrPort) error
	Routes installer.RouteFinder // nil: no project has jump hosts
	Logger *slog.Logger          // debug lines, and a warning for each jump host passed over; nil: none
}

// Conn is a connection, and the jump hosts it goes through.
type Conn struct {
	*sshconn.Conn
	hops []installer.Endpoint
	last *sharedConn // to the last jump host; nil: none
	once sync.Once
}

// JumpHosts are those that the connection goes through, first hop first.
func (c *Conn) JumpHosts() []installer.Endpoint { return c.hops }

func (c *Conn) Close() error {
	err := c.Conn.Close()
	if c.last != nil {
		c.once.Do(c.last.release)
	}
	return err
}

// Dialer opens connections. It keeps what hosts share: parsed private keys
// and the connections to jump hosts. Safe for use by many goroutines.
type Dialer struct {
	cfg        Config
	limits     installer.Limits
	log        *slog.Logger
	rootLogins atomic.Bool // root has been let in somewhere
	signers    *signerCache
	known      func() (ssh.HostKeyCallback, error)
	pinning    [64]sync.Mutex // by host, so that two first contacts do not pin two keys
	dialTCP    func(ctx context.Context, addr string) (net.Conn, error)
	lookup     func(ctx context.Context, name string) ([]netip.Addr, error)

	ctx    context.Context // of dials to jump hosts; ended by Close
	cancel context.CancelFunc
	wg     sync.WaitGroup // dials to jump hosts

	mu        sync.Mutex
	closed    bool
	jumpHosts map[string]*sharedConn

	handshakes int // per jump host

	breaker breaker
}

// New makes a Dialer. Close it to end its connections to jump hosts.
func New(cfg Config) *Dialer {
	cfg.Limits = cfg.Limits.WithDefaults()
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	d := &Dialer{
		cfg:     cfg,
		limits:  cfg.Limits,
		log:     cfg.Logger,
		signers: newSignerCache(),
		known:   sync.OnceValues(func() (ssh.HostKeyCallback, error) { return readKnownHosts(cfg.KnownHosts) }),
		lookup: func(ctx context.Context, name string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", name)
		},
		jumpHosts: map[string]*sharedConn{}, handshakes: handshakesPerJumpHost,
		breaker: newBreaker(cfg.Limits),
	}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	d.dialTCP = d.dialDirect
	return d
}

// Close ends the connections to jump hosts and all that go through them, without waiting.
func (d *Dialer) Close() error {
	d.mu.Lock()
	d.closed = true
	all := make([]*sharedConn, 0, len(d.jumpHosts))
	for _, s := range d.jumpHosts {
		s.retain() // so that nobody else closes it meanwhile
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

// Dial connects to host, checks its host key and logs in. A host with a RouteChoice goes
// through the first jump host that works. Its error is a Failure. The connection outlives ctx.
// The guard is asked for the host's own password, and may be nil.
func (d *Dialer) Dial(
	ctx context.Context, project string, host installer.Host, creds installer.Credentials, policy installer.HostKeyPolicy, guard installer.PasswordGuard,
) (*Conn, error) {
	started := time.Now()
	h := d.newHandshake(project, host.Endpoint, creds.Login, policy)
	h.guard = guard
	c, fail := d.dial(ctx, h, host, creds)
	if fail != nil {
		d.log.Debug("dial failed", "project", project, "address", host.HostPort(), "kind", fail.Kind, "duration", time.Since(started))
		return nil, fail
	}
	d.log.Debug("dialled", "project", project, "address", host.HostPort(), "duration", time.Since(started))
	return c, nil
}

func (d *Dialer) dial(ctx context.Context, h *handshake, host installer.Host, creds installer.Credentials) (*Conn, *installer.Failure) {
	if ctx.Err() != nil {
		return nil, sshconn.ContextFailure(ctx, "before connecting")
	}
	if host.RouteChoice != nil {
		return d.dialFirstRoute(ctx, h, host)
	}
	if len(creds.Via) < len(host.Via) {
		return nil, installer.Fail(installer.KindCredentialMissing, "no login for jump host %s", host.Via[len(creds.Via)].HostPort())
	}
	logins, fail := d.fillLogins(ctx, h.project, host.Via, creds.Via)
	if fail != nil {
		return nil, fail
	}
	c, fail, _ := d.dialRoute(ctx, h, installer.Route{Hops: host.Via, Logins: logins})
	if fail == nil {
		d.noteReached(h.project, installer.Route{Hops: append(slices.Clip(host.Via), host.Endpoint), Logins: append(slices.Clip(logins), creds.Login)}, h.policy)
	}
	return c, fail
}

type fault int

const (
	faultTarget     fault = iota
	faultJumpHost         // there is no connection to it, for any target
	faultForwarding       // it did not forward to this target, or was lost meanwhile
	faultInput            // nothing was dialled
)

func (d *Dialer) dialRoute(ctx context.Context, h *handshake, route installer.Route) (*Conn, *installer.Failure, fault) {
	if fail := h.prepare(ctx); fail != nil {
		return nil, fail, faultInput
	}
	if len(route.Hops) == 0 {
		c, fail := h.connect(ctx, nil, func() (net.Conn, *installer.Failure) {
			nc, err := d.dialTCP(ctx, h.address)
			if err != nil {
				return nil, dialFailure(ctx, h.address, err)
			}
			return nc, nil
		})
		if fail != nil {
			return nil, fail, faultTarget
		}
		return &Conn{Conn: c}, nil, 0
	}
	via, fail := d.acquire(ctx, h.project, route, h.policy)
	if fail != nil {
		return nil, fail, faultJumpHost
	}
	cause := faultTarget
	c, fail := h.connect(ctx, via.handshakes, func() (nc net.Conn, fail *installer.Failure) {
		nc, fail, cause = d.forward(ctx, via, h.to)
		return nc, fail
	})
	if fail != nil {
		if via.conn.Broken() && ctx.Err() == nil {
			// Whatever it looked like from here, it was not due to the target.
			fail, cause = onJumpHost(via.name, via.conn.Lost("while connecting to "+h.address)), faultForwarding
		}
		if cause == faultJumpHost && ctx.Err() == nil {
			d.breaker.failed(via.key, fail)
		}
		via.release()
		return nil, fail, cause
	}
	return &Conn{Conn: c, hops: route.Hops, last: via}, nil, 0
}
