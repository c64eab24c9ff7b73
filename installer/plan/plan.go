package plan

import (
	"cmp"
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"

	"tripod/installer"
)

// Inventory tells what is known of hosts.
type Inventory interface {
	Hosts(ctx context.Context, project string, f installer.HostFilter) (installer.HostPage, error)
}

// Packages is the package store.
type Packages interface {
	Packages(ctx context.Context, target string) ([]installer.Package, error)
}

// Denials notes who asked for work on addresses that Planner.Policy denies.
type Denials interface {
	// NoteDenied is called once for a request, with all that were denied and why
	// the first one was. It is on disk when it returns.
	NoteDenied(ctx context.Context, project string, t installer.Type, hosts []installer.AuditHost, why string) error
}

// Batches finds unfinished work, and gives it other logins.
type Batches interface {
	// OpenBatch finds the newest batch with this fingerprint that has open invocations.
	OpenBatch(ctx context.Context, project, fingerprint string) (installer.BatchHead, bool, error)
	// RefreshCredentials replaces those of the batch's open invocations.
	RefreshCredentials(ctx context.Context, batchID string, byInvocation map[string]installer.Credentials) error
}

// Planner makes plans. Ledger is required, and so are the functions.
type Planner struct {
	Ledger    installer.Ledger
	Inventory Inventory // has the editions of hosts; nil: none is known
	Packages  Packages  // where a task's packages come from; nil: there are none
	// Fallback serves where Packages has nothing: packages, of which nobody knows the
	// edition, or Online.
	Fallback     installer.Spec
	Batches      Batches                                      // nil where no request says Resume or Latest
	HostKeys     installer.HostKeyPolicy                      // the weakest one that a task may have
	Policy       func(netip.Addr) error                       // a name is judged when it is dialled; nil: all may be dialled
	Denials      Denials                                      // is told what Policy refused; nil: nobody is
	DefaultLogin func(project string) (installer.Login, bool) // nil: no project has one
	Clock        func() time.Time
	NewID        func() string // for batches and invocations, later ones sorting after earlier ones
}

type Request struct {
	Project string                `json:"-"`
	By      string                `json:"-"`                // who asks
	BatchID string                `json:"batch_id"`         // empty: a new one
	Source  string                `json:"source,omitempty"` // where it came from, for people
	Task    installer.Type        `json:"task"`
	Spec    installer.Spec        `json:"spec,omitzero"`
	Hosts   []installer.HostEntry `json:"hosts,omitzero"` // to be worked on: INSTALL, UPDATE, REMOTE_INSTALL
	Known   []string              `json:"known,omitzero"` // known hosts to be worked on: INSTALL, UPDATE, SET_REMOTE_INSTALLER
	// Installers are those that REMOTE_INSTALL is to go through. Empty: the project's.
	Installers []string `json:"-"`
	// Of are the invocations to be tried again or undone: RETRY, ROLLBACK. Hosts are
	// then those whose logins are to be used for that, and ForAll is the login of all
	// hosts that are reached by its Via as its User (empty: any).
	Of     []string             `json:"of,omitzero"`
	ForAll *installer.HostEntry `json:"for_all,omitzero"`
	// Latest: Of may be batches too, what was tried again counts as its latest RETRY,
	// and what is under way already is gone on with.
	Latest bool `json:"-"`
	Whole  bool `json:"-"` // nothing is done unless all of it can be
	// Resume: an unfinished batch of the same work is gone on with instead.
	Resume      bool                                   `json:"resume,omitzero"`
	MaxFailures FailureLimit                           `json:"max_failures,omitzero"`
	Content     string                                 `json:"-"` // tells it from another request under the same BatchID
	Replay      func(*Plan) (*installer.Replay, error) `json:"-"` // answers the same request once more; nil: nothing does
}

// FailureLimit is how many invocations may end without success before no new one is
// begun; N 0: all.
type FailureLimit struct {
	N       int  `json:"n"`
	Percent bool `json:"percent,omitempty"` // of all
}

// Of is the number. A percentage is rounded up, so that it is never none.
func (l FailureLimit) Of(total int) int {
	if l.Percent {
		return (total*l.N + 99) / 100
	}
	return l.N
}

// Plan is what comes of a request, item by item in its order.
type Plan struct {
	Request
	Items   []Item
	Resumed *installer.BatchHead // the unfinished batch that is gone on with
	Notes   []string             // for people: given logins that are not used
}

func (p *Plan) Limit() int { return p.MaxFailures.Of(p.count(New, Open)) }

func (p *Plan) Accepted() int { return p.count(New) }

func (p *Plan) count(standings ...Standing) (n int) {
	for _, item := range p.Items {
		if slices.Contains(standings, item.Standing) {
			n++
		}
	}
	return n
}

type Standing string

const (
	New     Standing = "new"
	Open    Standing = "open" // it is under way already
	Done    Standing = "done"
	Refused Standing = "refused"
)

// Item is work, or why there is none.
type Item struct {
	Standing Standing `json:"standing"`
	Where    string   `json:"where"` // its place in the input; empty: none
	// Invocation is what the item says of the new one; of one that is open or done, it
	// is that; of a refused RETRY or ROLLBACK its ID is the one that was asked for.
	Invocation  installer.Invocation  `json:"invocation"`
	Credentials installer.Credentials `json:"-"`
	Edition     installer.Edition     `json:"edition,omitempty"` // that the host is known to have, where a package was chosen
	Alone       bool                  `json:"alone,omitempty"`   // it was named itself, not by its batch
	Refused     *Refusal              `json:"-"`                 // why it cannot be done
	// Failed: it has not succeeded, or not gone back, and cannot be helped this way.
	Failed bool   `json:"failed,omitempty"`
	kept   bool   // the login did not come with the request
	given  bool   // it did, with those of all hops on the way
	origin string // what the chain of a RETRY or ROLLBACK began with
}

func (i *Item) Place() string { return cmp.Or(i.Where, i.Invocation.Host.Label()) }

func (i *Item) LoginWords() string {
	if i.kept {
		return "kept"
	}
	var words []string
	if !i.Credentials.PrivateKey.IsZero() {
		words = append(words, "key")
	}
	if !i.Credentials.Password.IsZero() {
		words = append(words, "password")
	}
	switch h := i.Invocation.Host; {
	case h.User == "root" || h.Sudo == installer.SudoNever:
	case i.Credentials.SudoPassword.IsZero():
		words = append(words, "sudo")
	default:
		words = append(words, "sudo with a password of its own")
	}
	return strings.Join(words, "+")
}

type Reason int

const (
	UnknownHost Reason = iota + 1
	PolicyDenied
	CredentialMissing
	UnknownInstaller
	InstallerCredentialMissing
	PackageMissing
	UnknownInvocation
	NotAllowed
	UnderWay
)

type Refusal struct {
	Reason Reason
	Msg    string
}

func (r *Refusal) Error() string { return r.Msg }

func refuse(reason Reason, msg string) *Refusal { return &Refusal{reason, msg} }

// settle notes a Refusal. Another error is returned: it ends the planning.
func (i *Item) settle(err error) error {
	refused, ok := errors.AsType[*Refusal](err)
	if ok {
		i.Refused, err = refused, nil
	}
	return err
}

func (p *Planner) Plan(ctx context.Context, req Request) (*Plan, error) {
	q := &planning{Planner: p, ctx: ctx, Request: req, taken: map[string]bool{}}
	planned := q.work
	if req.Task == installer.Retry || req.Task == installer.Rollback {
		planned = q.followUps
	}
	items, err := planned()
	q.lookAtPins(items)
	for i := range items {
		if items[i].Refused != nil {
			items[i].Standing = Refused
		}
		items[i].Standing = cmp.Or(items[i].Standing, New)
	}
	return &Plan{Request: req, Items: items, Notes: q.notes}, err
}

type planning struct {
	*Planner
	ctx context.Context
	Request
	route route
	notes []string
	taken map[string]bool // ids of the request's hosts
	byID  map[string]installer.HostEntry
}
