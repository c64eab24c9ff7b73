package api

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"time"

	"tripod/installer"
	"tripod/installer/api/limits"
	"tripod/installer/plan"
)

// Access tells who asks.
type Access interface {
	// CheckToken compares in constant time. ErrNotFound for a token that is not
	// known; any other error means that nothing can be said.
	CheckToken(ctx context.Context, token string) (installer.Principal, error)
	// Key returns the owner of an access key, and its secret key. ErrNotFound.
	Key(ctx context.Context, accessKey string) (installer.Principal, installer.Secret, error)
	// SeeSignature notes a signature until it expires, on disk (with later: a moment
	// after), and reports whether, and how long ago, it came before: a long time if
	// before a restart. ErrFull if this key or project has too many.
	SeeSignature(ctx context.Context, project, accessKey string, signature [32]byte, expires time.Time, later bool) (seen bool, ago time.Duration, err error)
}

// What is taken where Config says nothing.
const (
	DefaultStatusMaxAge = 24 * time.Hour
	// DefaultRequestRate is far more than any client needs, and less than one process
	// can answer.
	DefaultRequestRate = 500
)

// Config is what New needs. Planner and Access are required.
type Config struct {
	// Planner plans and stores what is asked for; what its Store has is listed. A task starts
	// from its Fallback; what the request says is put over it. Target defaults to telescope.
	*plan.Planner
	Access Access
	// RequestRate is how many requests a second one token or key may send in the
	// long run. 0: DefaultRequestRate; less than 0: no bound.
	RequestRate int
	// StatusMaxAge is how old what was found on a host may be; agent-status says
	// unknown when it is older. 0: DefaultStatusMaxAge.
	StatusMaxAge time.Duration
	// Wake is called after new work was stored. Nil: nobody is waiting.
	Wake func()
	// Routes are added to the API's own.
	Routes []Route
	// Logger gets a line per request. Nil: slog.Default().
	Logger *slog.Logger
}

// New returns the API as a handler, to be mounted at the root of a server.
func New(c Config) http.Handler {
	c.RequestRate = cmp.Or(c.RequestRate, DefaultRequestRate)
	c.StatusMaxAge = cmp.Or(c.StatusMaxAge, DefaultStatusMaxAge)
	c.Logger = cmp.Or(c.Logger, slog.Default())
	if c.Wake == nil {
		c.Wake = func() {}
	}
	h := &handler{
		Config: c, rates: limits.Rates{PerSecond: c.RequestRate}, budget: limits.NewBudget(),
		pace: limits.BodyPace, unverifiedPace: limits.UnverifiedPace,
	}
	h.table = h.routes()
	return h
}
