package plan

import (
	"cmp"
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"tripod/installer"
)

// Store is what requests are planned on. The state folder is one.
type Store interface {
	installer.Ledger
	Hosts(ctx context.Context, project string, f installer.HostFilter) (installer.HostPage, error)
	// Packages are those of a target in the package store.
	Packages(ctx context.Context, target string) ([]installer.Package, error)
	// NoteDenied notes who asked for work on addresses that Planner.Policy denies: once for a
	// request, with all of them and why the first one was. It is on disk when it returns.
	NoteDenied(ctx context.Context, project string, t installer.Type, hosts []installer.AuditHost, why string) error
	// OpenBatch finds the newest batch with this fingerprint that has open invocations.
	OpenBatch(ctx context.Context, project, fingerprint string) (installer.BatchHead, bool, error)
	// RefreshCredentials replaces those of the batch's open invocations.
	RefreshCredentials(ctx context.Context, batchID string, byInvocation map[string]installer.Credentials) error
	// Replay is what Request.Replay made for a request with this key. ErrNotFound for a key
	// that was not used in the last 24 hours at least.
	Replay(ctx context.Context, project, key string) (installer.Replay, error)
}

// Planner makes plans. Make it with NewPlanner.
type Planner struct {
	Store Store
	// Fallback serves where the package store has nothing: packages, of which nobody knows
	// the edition, or Online.
	Fallback installer.Spec
	HostKeys installer.HostKeyPolicy // the weakest one that a task may have; empty: accept-new
	// Policy refuses addresses and says why, to the user; a name is checked when it is dialled.
	// Nil: every address is allowed.
	Policy func(netip.Addr) error
	// KeepTrying has every task try its password, though other hosts have refused it; see Spec.
	KeepTrying bool
	// DefaultLogins are the projects' default keys, for hosts that come without a credential of their own.
	DefaultLogins map[string]installer.Login
	// AgentDefaults returns the default configuration and keys of the agents of a project. Nil: none.
	AgentDefaults func(project string) (*installer.AgentConfig, installer.AgentKeys)
	Clock         func() time.Time // nil: time.Now
	// NewID makes ids for batches and invocations, ^[a-zA-Z0-9-]{1,64}$, later ones sorting
	// after earlier ones. Nil: ULIDs.
	NewID func() string
}

// NewPlanner returns a Planner with defaults for what p leaves open.
func NewPlanner(p Planner) *Planner {
	p.HostKeys = cmp.Or(p.HostKeys, installer.AcceptNew)
	if p.Policy == nil {
		p.Policy = func(netip.Addr) error { return nil }
	}
	if p.AgentDefaults == nil {
		p.AgentDefaults = func(string) (*installer.AgentConfig, installer.AgentKeys) { return nil, installer.AgentKeys{} }
	}
	if p.Clock == nil {
		p.Clock = time.Now
	}
	if p.NewID == nil {
		p.NewID = func() string { return ulid.Make().String() }
	}
	return &p
}

type Request struct {
	Project string                `json:"-"`
	By      string                `json:"-"`                // who asks
	BatchID string                `json:"batch_id"`         // empty: a new one
	Source  string                `json:"source,omitempty"` // where it came from, for people
	Task    installer.Type        `json:"task"`
	Spec    installer.Spec        `json:"spec,omitzero"`
	Hosts   []installer.HostEntry `json:"hosts,omitzero"` // to be worked on; not of SET_REMOTE_INSTALLER
	// AgentKeys are for the agents of all hosts that have none of their own.
	AgentKeys installer.AgentKeys `json:"agent_keys,omitzero"`
	// Vars are secret variables for the script on all hosts; those of a host go before them.
	Vars  installer.Vars `json:"secret_vars,omitempty"`
	Known []string       `json:"known,omitzero"` // known hosts to be worked on; not of REMOTE_INSTALL
	// JumpHosts are those that REMOTE_INSTALL is to go through. Empty: the project's.
	JumpHosts []string `json:"-"`
	// Of are the invocations to be tried again or undone: RETRY, ROLLBACK. Hosts are
	// then those whose logins are to be used for that, and ForAll is the login of all
	// hosts that are reached by its Via as its User (empty: any).
	Of     []string             `json:"of,omitzero"`
	ForAll *installer.HostEntry `json:"for_all,omitzero"`
	// Interactive: a person asks. A RETRY or ROLLBACK may then be about batches too, what was
	// tried again counts as its latest RETRY, and what is under way already is continued;
	// of other work nothing is done unless all of it can be.
	Interactive bool `json:"-"`
	// Resume: an unfinished batch of the same work is continued instead.
	Resume      bool                                   `json:"resume,omitzero"`
	MaxFailures FailureLimit                           `json:"max_failures,omitzero"`
	Content     string                                 `json:"-"` // tells it from another request under the same BatchID
	Replay      func(*Plan) (*installer.Replay, error) `json:"-"` // answers the same request once more; nil: nothing does
}

// FollowsUp: it is about other work.
func (r Request) FollowsUp() bool {
	return r.Task == installer.Retry || r.Task == installer.Rollback
}

// allOrNone: nothing is done unless all of it can be.
func (r Request) allOrNone() bool { return r.Interactive && !r.FollowsUp() }

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
	Resumed *installer.BatchHead // the unfinished batch that is continued
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
	Where    string   `json:"where"` // its place in the input, else the host
	// Invocation is what the item says of the new one; of one that is open or done, it
	// is that; of a refused RETRY or ROLLBACK its ID is the one that was asked for.
	Invocation  installer.Invocation  `json:"invocation"`
	Credentials installer.Credentials `json:"-"`
	Edition     installer.Edition     `json:"edition,omitempty"` // that the host is known to have, where a package was chosen
	Alone       bool                  `json:"alone,omitempty"`   // it was named itself, not by its batch
	Login       string                `json:"login,omitempty"`   // what gets into the host, in words
	Refused     *Refusal              `json:"refused,omitempty"` // why it cannot be done
	// Failed: it has not succeeded, or was not rolled back, and cannot be helped this way.
	Failed bool   `json:"failed,omitempty"`
	kept   bool   // the login did not come with the request
	given  bool   // it did, with those of all hops on the way, and the agent's keys and secret variables if there are any
	origin string // what the chain of a RETRY or ROLLBACK began with
}

// place is where the item is in the input, else its host.
func (i *Item) place() string { return cmp.Or(i.Where, i.Invocation.Host.Label()) }

func (i *Item) loginWords() string {
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
	case h.User == "root" || h.Become == installer.BecomeNever:
	case i.Credentials.SudoPassword.IsZero():
		words = append(words, string(cmp.Or(h.Become, installer.BecomeSudo)))
	default:
		words = append(words, string(cmp.Or(h.Become, installer.BecomeSudo))+" with a password of its own")
	}
	return strings.Join(words, "+")
}

type Reason int

const (
	UnknownHost Reason = iota + 1
	PolicyDenied
	CredentialMissing
	UnknownJumpHost
	JumpHostCredentialMissing
	PackageMissing
	UnknownInvocation
	NotAllowed
	UnderWay
	SharedAgentID
)

type Refusal struct {
	Reason Reason
	Msg    string
}

func (r *Refusal) Error() string { return r.Msg }

// As JSON, it is what is said to a person.
func (r *Refusal) MarshalText() ([]byte, error) { return []byte(r.Msg), nil }

func (r *Refusal) UnmarshalText(text []byte) error {
	r.Msg = string(text)
	return nil
}

func refuse(reason Reason, msg string) *Refusal { return &Refusal{reason, msg} }

// noteRefusal keeps err if it is a Refusal. Another error is returned: it ends the planning.
func (i *Item) noteRefusal(err error) error {
	refused, ok := errors.AsType[*Refusal](err)
	if ok {
		i.Refused, err = refused, nil
	}
	return err
}

func (p *Planner) Plan(ctx context.Context, req Request) (*Plan, error) {
	q := &planning{Planner: p, ctx: ctx, Request: req, taken: map[string]bool{}}
	planned := q.work
	if req.FollowsUp() {
		planned = q.followUps
	}
	items, err := planned()
	q.lookAtPins(items)
	for i := range items {
		item := &items[i]
		if item.Refused != nil {
			item.Standing = Refused
		}
		if item.Standing = cmp.Or(item.Standing, New); item.Standing == New {
			item.Invocation.Spec.KeepTrying = q.Spec.KeepTrying || p.KeepTrying
		}
		item.Where, item.Login = item.place(), item.loginWords()
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
