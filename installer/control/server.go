package control

import (
	"context"
	"time"

	"tripod/installer"
	"tripod/installer/api"
	"tripod/installer/plan"
)

// Store is what the operations work on. The state folder is one.
type Store interface {
	plan.Store
	installer.Blobs
	// BlobSize tells how much of a file the project has there, and whether that is
	// all of it. What only another project has sent is not there.
	BlobSize(ctx context.Context, project, sha256 string) (have int64, complete bool, err error)
	// AddToBlob appends to a file, and completes it.
	AddToBlob(ctx context.Context, project string, ref installer.BlobRef, offset int64, data []byte) (have int64, complete bool, err error)
	RegisterHosts(ctx context.Context, project string, entries []installer.HostEntry) error
	RemoveHosts(ctx context.Context, project string, ids []string) error
	ForgetKeys(ctx context.Context, project, hostPort string) (int, error)
	UnsetInstallers(ctx context.Context, project string, ids []string) error
	AddPackage(ctx context.Context, p installer.Package) error
	RemovePackage(ctx context.Context, sha string) error
	AddToken(ctx context.Context, project, name string, rights installer.Rights) (string, error)
	Tokens(ctx context.Context, project string) ([]installer.TokenInfo, error)
	RemoveToken(ctx context.Context, project, name string) error
	AddKey(ctx context.Context, project, name string, rights installer.Rights) (installer.KeyPair, error)
	Keys(ctx context.Context, project string) ([]installer.KeyInfo, error)
	RemoveKey(ctx context.Context, project, name string) error
	Audit(ctx context.Context, f installer.AuditFilter) ([]installer.AuditEntry, error)
	VerifyAudit(ctx context.Context, anchors ...installer.AuditAnchor) (installer.AuditReport, error)
	PruneAudit(ctx context.Context, before time.Time) (int, error)
}

// Config is what Routes needs.
type Config struct {
	Store Store
	Hub   *Hub
	// Engine works on what is stored; an *OnDemand as long as somebody follows it.
	Engine Engine
	// Planner plans batches on Store. A client may ask for a stricter policy of host keys
	// than its own, never for a weaker.
	*plan.Planner
	// Operator is the project whose logins with full rights change what all
	// projects share: the packages, and how far back the audit log goes. Empty:
	// nobody does from afar.
	Operator string
	// KnownHosts are the files that a process reads which is no daemon, where they
	// are not the usual ones.
	KnownHosts []string
	Limits     string // likewise, the time limits of its work; see installer.Limits
	Version    string
}

// Engine is notified of new work, and of an invocation that was canceled in the store.
type Engine interface {
	Wake()
	Cancel(invocation string) bool
}

type service struct {
	Config
	onDemand   *OnDemand // nil: a daemon's engine works on everything
	submitting turns     // by project and batch
}

func Operations(c Config) (all []Served) {
	onDemand, _ := c.Engine.(*OnDemand)
	s := &service{Config: c, onDemand: onDemand}
	for _, o := range defined {
		all = append(all, o.servedBy(s))
	}
	return all
}

// Routes are to be added to the API's.
func Routes(c Config) (routes []api.Route) {
	for _, o := range Operations(c) {
		routes = append(routes, o.Route)
	}
	return routes
}
