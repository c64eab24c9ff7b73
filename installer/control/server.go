package control

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/oklog/ulid/v2"

	"tripod/installer"
	"tripod/installer/api"
	"tripod/installer/hostsfile"
	"tripod/installer/plan"
)

// Store is what the routes work on. The state folder is one.
type Store interface {
	installer.Ledger
	plan.Batches
	// BlobSize tells how much of a file the project has there, and whether that is
	// all of it. What only another project has sent is not there.
	BlobSize(ctx context.Context, project, sha256 string) (have int64, complete bool, err error)
	// AddToBlob appends to a file, and completes it.
	AddToBlob(ctx context.Context, project string, ref installer.BlobRef, offset int64, data []byte) (have int64, complete bool, err error)
	ForgetKeys(ctx context.Context, project, hostPort string) (int, error)
	Grants
	AuditLog
	plan.Denials
	Roster
	Installers
	Catalogue
}

// Config is what Routes needs. Store and Hub are required.
type Config struct {
	Store Store
	// Hub is told what the engine does.
	Hub *Hub
	// Wake is called after new work was stored, Cancel after an invocation was
	// canceled in the store. Nil: nobody is waiting.
	Wake   func()
	Cancel func(id string) bool
	// Policy refuses addresses that would be dialled; the dialer checks again.
	// Nil: every address is allowed.
	Policy func(netip.Addr) error
	// HostKeys is the daemon's own policy: a client may ask for a stricter one,
	// never for a weaker. Empty: accept-new.
	HostKeys installer.HostKeyPolicy
	// Fallback serves where the catalogue has nothing: see plan.Planner.
	Fallback installer.Spec
	// DefaultLogin returns the project's default key. Nil: no project has one.
	DefaultLogin func(project string) (installer.Login, bool)
	// Operator is the project whose logins with full rights change what all
	// projects share: the catalogue, and how far back the audit log goes. Empty:
	// nobody does from afar.
	Operator string
	// OnDemand works on what is followed. Nil: an engine works on everything.
	OnDemand *OnDemand
	// KnownHosts are the files that a process reads which is no daemon, where they
	// are not the usual ones.
	KnownHosts []string
	// Version is the daemon's, for people.
	Version string
	// Clock tells the time. Nil: time.Now.
	Clock func() time.Time
}

// service is what the handlers work on.
type service struct {
	Config
	planner    *plan.Planner
	submitting *turns // by project and batch
}

// Routes are to be added to the API's.
func Routes(c Config) []api.Route { return newService(c).routes() }

func newService(c Config) service {
	if c.Wake == nil {
		c.Wake = func() {}
	}
	if c.Cancel == nil {
		c.Cancel = func(string) bool { return false }
	}
	if c.Policy == nil {
		c.Policy = func(netip.Addr) error { return nil }
	}
	if c.HostKeys == "" {
		c.HostKeys = installer.AcceptNew
	}
	if c.DefaultLogin == nil {
		c.DefaultLogin = func(string) (installer.Login, bool) { return installer.Login{}, false }
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	return service{c, &plan.Planner{
		Ledger: c.Store, Inventory: c.Store, Packages: c.Store, Batches: c.Store, Fallback: c.Fallback, HostKeys: c.HostKeys,
		Policy: c.Policy, Denials: c.Store, DefaultLogin: c.DefaultLogin, Clock: c.Clock, NewID: func() string { return ulid.Make().String() },
	}, &turns{}}
}

// root is the part of the path that all routes of a project have in common.
const root = "/tripod/v1/{project_id}"

// Limits of requests.
const (
	// maxSubmission is for 10,000 hosts with a key of its own each.
	maxSubmission = 64 << 20
	// maxItems of one batch: as many as hosts files name.
	maxItems = hostsfile.MaxHosts
	// partSize is how much of a file the client sends at a time, in bytes.
	partSize = 1 << 20
	// pageSize is how many invocations an answer has at most.
	pageSize = 500
	// longest is how long a large request may take to arrive.
	longest = 5 * time.Minute
)

func (s service) routes() []api.Route {
	get := func(path string, handle func(*api.Request) (any, error)) api.Route {
		return api.Route{Method: http.MethodGet, Pattern: root + path, Handle: handle}
	}
	post := func(path string, handle func(*api.Request) (any, error)) api.Route {
		return api.Route{Method: http.MethodPost, Pattern: root + path, Handle: handle}
	}
	large := func(r api.Route) api.Route {
		r.MaxBody, r.Wait = maxSubmission, longest
		return r
	}
	reading := func(r api.Route) api.Route {
		r.Rights = installer.ReadRights
		return r
	}
	routes := []api.Route{
		{Method: http.MethodGet, Pattern: "/tripod/v1/principal", Handle: s.principal},
		get("/batches", s.batches),
		large(post("/batches", s.submit)),
		reading(large(post("/plans", s.plan))),
		get("/batches/{batch_id}", s.batch),
		large(post("/batches/{batch_id}/cancel", s.cancel)),
		get("/batches/{batch_id}/events", s.events),
		get("/invocations", s.invocations),
		get("/invocations/{invocation_id}", s.invocation),
		get("/invocations/{invocation_id}/log", s.log),
		get("/blobs/{sha256}", s.blob),
		{Method: http.MethodPut, Pattern: root + "/blobs/{sha256}", MaxBody: partSize, Binary: true, Wait: longest, Handle: s.addToBlob},
		{Method: http.MethodDelete, Pattern: root + "/host-keys/{host_port}", Handle: s.forgetKeys},
	}
	return slices.Concat(routes, s.workRoutes(), s.grantRoutes(), s.auditRoutes(), s.hostRoutes(), s.installerRoutes(), s.packageRoutes())
}

// welcome is who the daemon takes the client for, and what it is itself.
type welcome struct {
	installer.Principal
	Version string `json:"version"` // of the daemon
	// Daemon: it works on everything by itself.
	Daemon     bool     `json:"daemon"`
	KnownHosts []string `json:"known_hosts,omitempty"` // see Config
}

func (s service) principal(r *api.Request) (any, error) {
	return welcome{r.Principal, s.Version, s.OnDemand == nil, s.KnownHosts}, nil
}

// refusal makes an error of the store's that is about the input one for the
// client, which turns it back: see plainError.
func refusal(err error) error {
	_, faults := errors.AsType[installer.Faults](err)
	switch {
	case err == nil, faults, errors.Is(err, installer.ErrStorage), errors.Is(err, installer.ErrNotFound),
		errors.Is(err, installer.ErrFull), errors.Is(err, installer.ErrUnderWay), errors.Is(err, installer.ErrSuperseded),
		errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, installer.ErrInUse):
		return api.Refuse(http.StatusConflict, CodeInUse, "%s", err)
	case errors.Is(err, installer.ErrExists):
		return api.Refuse(http.StatusConflict, CodeExists, "%s", err)
	}
	return api.Refuse(http.StatusBadRequest, api.CodeBodyInvalid, "%s", err)
}

// Codes of what a client tells apart, all with 409.
const (
	CodeCredentialMissing api.Code = "tripod.0001" // plan.MissingCredentials
	CodeInUse             api.Code = "tripod.0002" // installer.ErrInUse
	CodeExists            api.Code = "tripod.0003" // installer.ErrExists
)

// pathID returns an id from the path. One that cannot exist does not.
func pathID(r *api.Request, name string) (string, error) {
	id := r.PathValue(name)
	if !installer.IDForm.MatchString(id) {
		return "", installer.ErrNotFound
	}
	return id, nil
}

// numberOf reads a number of the query; missing: fallback.
func numberOf(r *api.Request, name string, fallback, least, most int64) (int64, error) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return fallback, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < least || n > most {
		return 0, installer.Faults{{Where: name, What: "must be a number, " + strconv.FormatInt(least, 10) + "–" + strconv.FormatInt(most, 10)}}
	}
	return n, nil
}
