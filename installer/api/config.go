package api

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/oklog/ulid/v2"

	"tripod/installer"
	"tripod/installer/plan"
)

// Replays remembers what was answered to a request that had an Idempotency-Key.
// It is stored by Ledger.Submit.
type Replays interface {
	// Replay fails with ErrNotFound for a key that was not used in the last 24
	// hours at least.
	Replay(ctx context.Context, project, key string) (installer.Replay, error)
}

// What is taken where Config says nothing.
const (
	DefaultStatusMaxAge = 24 * time.Hour
	// DefaultRequestRate is far more than any client needs, and less than one process
	// can answer.
	DefaultRequestRate = 500
)

// Config is what New needs. Ledger and Tokens are required.
type Config struct {
	// Ledger stores what is asked for, and is what is listed.
	Ledger installer.Ledger
	// Tokens decides who may come in.
	Tokens Tokens
	// Keys are for signed requests. Nil: they are refused.
	Keys Keys
	// RequestRate is how many requests a second one token or key may send in the
	// long run. 0: DefaultRequestRate; less than 0: no bound.
	RequestRate int
	// Spec is what a task starts from; what the request says is put over it. Target
	// defaults to telescope, HostKeys to accept-new.
	Spec installer.Spec
	// Replays answers a request that comes again. Nil: a request with an
	// Idempotency-Key is refused.
	Replays Replays
	// Hosts answers agent-status. Nil: no host is known.
	Hosts plan.Inventory
	// StatusMaxAge is how old what was found on a host may be; agent-status says
	// unknown when it is older. 0: DefaultStatusMaxAge.
	StatusMaxAge time.Duration
	// Packages is where a task's packages come from; Spec.Packages serve where
	// none of them fits. Nil: there is no catalogue.
	Packages plan.Packages
	// Wake is called after new work was stored. Nil: nobody is waiting.
	Wake func()
	// Policy refuses target addresses when a task is created, and says why, to the
	// user; the dialer checks again. Nil: every address is allowed.
	Policy func(netip.Addr) error
	// Denials is told what Policy refused. Nil: nobody is.
	Denials plan.Denials
	// DefaultLogin returns the project's default key, for hosts that come
	// without a credential of their own. Nil: no project has one.
	DefaultLogin func(project string) (installer.Login, bool)
	// Routes are added to the API's own.
	Routes []Route
	// Clock tells the time. Nil: time.Now.
	Clock func() time.Time
	// NewID makes ids for batches and invocations, ^[a-zA-Z0-9-]{1,64}$, later
	// ones sorting after earlier ones. Nil: ULIDs.
	NewID func() string
	// Logger gets a line per request. Nil: slog.Default().
	Logger *slog.Logger
}

// New returns the API as a handler, to be mounted at the root of a server.
func New(c Config) http.Handler {
	c.Spec.Target = cmp.Or(c.Spec.Target, installer.TargetTelescope)
	c.Spec.HostKeys = cmp.Or(c.Spec.HostKeys, installer.AcceptNew)
	c.RequestRate = cmp.Or(c.RequestRate, DefaultRequestRate)
	c.StatusMaxAge = cmp.Or(c.StatusMaxAge, DefaultStatusMaxAge)
	c.Logger = cmp.Or(c.Logger, slog.Default())
	if c.Wake == nil {
		c.Wake = func() {}
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.NewID == nil {
		c.NewID = func() string { return ulid.Make().String() }
	}
	return newHandler(service{c, &plan.Planner{
		Ledger: c.Ledger, Inventory: c.Hosts, Packages: c.Packages, Fallback: c.Spec, HostKeys: c.Spec.HostKeys,
		Policy: c.Policy, Denials: c.Denials, DefaultLogin: c.DefaultLogin, Clock: c.Clock, NewID: c.NewID,
	}})
}

// service is the API without HTTP's part of it: what the handlers work on.
type service struct {
	Config
	planner *plan.Planner
}
