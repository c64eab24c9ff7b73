package plan

import (
	"cmp"
	"context"
	"errors"
	"net/netip"
	"time"

	"tripod/installer"
)

// Inventory tells what is known of hosts.
type Inventory interface {
	// Hosts returns those that the filter selects; another project's are not known.
	Hosts(ctx context.Context, project string, f installer.HostFilter) (installer.HostPage, error)
}

// Packages is the catalogue of packages.
type Packages interface {
	// Packages returns those of a target.
	Packages(ctx context.Context, target string) ([]installer.Package, error)
}

// Denials notes who asked for work on addresses that Planner.Policy denies.
type Denials interface {
	// NoteDenied is called once for a request, with all that were denied and why
	// the first one was. It is on disk when it returns.
	NoteDenied(ctx context.Context, project string, t installer.Type, hosts []installer.AuditHost, why string) error
}

// Planner makes plans. Ledger is required, and so are the functions.
type Planner struct {
	Ledger installer.Ledger
	// Inventory has the editions of hosts. Nil: none is known.
	Inventory Inventory
	// Packages is where a task's packages come from. Nil: there is no catalogue.
	Packages Packages
	// Fallback serves where the catalogue has nothing: packages, of which nobody
	// knows the edition, or Online.
	Fallback installer.Spec
	// HostKeys is the weakest policy that a task may have.
	HostKeys installer.HostKeyPolicy
	// Policy refuses addresses that would be dialled; the dialer checks again. A name
	// is judged when it is dialled, by what it resolves to then.
	Policy func(netip.Addr) error
	// Denials is told what Policy refused. Nil: nobody is.
	Denials Denials
	// DefaultLogin is the project's default key.
	DefaultLogin func(project string) (installer.Login, bool)
	Clock        func() time.Time
	// NewID makes ids for batches and invocations, later ones sorting after earlier ones.
	NewID func() string
}

// Request is what is asked for.
type Request struct {
	Project string
	By      string // who asks
	BatchID string // empty: a new one
	Source  string // where it came from, for people
	Task    installer.Type
	Spec    installer.Spec
	// Hosts are to be worked on: INSTALL, UPDATE, REMOTE_INSTALL.
	Hosts []installer.HostEntry
	// Known are ids of known hosts to be worked on: INSTALL, UPDATE, SET_REMOTE_INSTALLER.
	Known []string
	// Installers are ids of those that REMOTE_INSTALL is to go through. Empty: the
	// project's.
	Installers []string
	// Of are the invocations to be tried again or undone: RETRY, ROLLBACK.
	Of []string
	// MaxFailures: see installer.BatchHead.
	MaxFailures int
	// Replay makes what answers the same request once more. Nil: nothing does.
	Replay func(*Plan) (*installer.Replay, error)
}

// Plan is what comes of a request, item by item in its order.
type Plan struct {
	Request
	Items []Item
}

// Accepted counts the items that can be done.
func (p *Plan) Accepted() (n int) {
	for _, item := range p.Items {
		if item.Refused == nil {
			n++
		}
	}
	return n
}

// Item is work, or why it cannot be done.
type Item struct {
	// Invocation is what the item says of the new one; of a refused RETRY or ROLLBACK
	// its ID is the one that was asked for.
	Invocation  installer.Invocation
	Credentials installer.Credentials
	Refused     *Refusal
	origin      string // what the chain of a RETRY or ROLLBACK began with
}

// Reason is why an item cannot be done.
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

// Refusal is why an item cannot be done, and in words.
type Refusal struct {
	Reason Reason
	Msg    string
}

func refuse(reason Reason, msg string) *Refusal { return &Refusal{reason, msg} }

// Submit plans a request and stores what can be done of it. When it returns, that is
// on disk; if nothing can be done, nothing is stored.
func (p *Planner) Submit(ctx context.Context, req Request) (*Plan, error) {
	const mostPlans = 4
	noted := false
	for n := 1; ; n++ {
		plan, err := p.Plan(ctx, req)
		if err != nil {
			return nil, err
		}
		if !noted {
			if err := p.noteDenied(ctx, plan); err != nil {
				return nil, err
			}
			noted = true
		}
		batch := p.batch(plan)
		if len(batch.Items) == 0 {
			return plan, nil
		}
		if req.Replay != nil {
			if batch.Replay, err = req.Replay(plan); err != nil {
				return nil, err
			}
		}
		err = p.Ledger.Submit(ctx, batch)
		// Where another request came between plan and commit, its task is seen now.
		between := errors.Is(err, installer.ErrUnderWay) || errors.Is(err, installer.ErrOvertaken)
		if !between || n == mostPlans {
			return plan, err
		}
	}
}

// Plan plans a request, and stores nothing.
func (p *Planner) Plan(ctx context.Context, req Request) (*Plan, error) {
	q := &planning{Planner: p, ctx: ctx, Request: req, taken: map[string]bool{}, fits: map[installer.Edition]fit{}}
	plan := &Plan{Request: req}
	var err error
	switch req.Task {
	case installer.Retry, installer.Rollback:
		plan.Items, err = q.followUps()
	default:
		plan.Items, err = q.work()
	}
	return plan, err
}

// planning is the making of one plan.
type planning struct {
	*Planner
	ctx context.Context
	Request
	route route
	taken map[string]bool // ids of the request's hosts
	fits  map[installer.Edition]fit
}

// batch is made of what can be done. The ids are told in the plan too.
func (p *Planner) batch(plan *Plan) installer.Batch {
	now := p.Clock()
	plan.BatchID = cmp.Or(plan.BatchID, p.NewID())
	batch := installer.Batch{BatchHead: installer.BatchHead{
		ID: plan.BatchID, ProjectID: plan.Project, Created: now, Source: plan.Source, By: plan.By, MaxFailures: plan.MaxFailures,
	}}
	for i := range plan.Items {
		inv := &plan.Items[i].Invocation
		if plan.Items[i].Refused != nil {
			continue
		}
		inv.ID, inv.BatchID, inv.ProjectID, inv.Type = p.NewID(), batch.ID, plan.Project, plan.Task
		inv.RunID = cmp.Or(inv.RunID, inv.ID)
		inv.Host.Type = cmp.Or(inv.Host.Type, installer.ECS) // lists are filtered by it
		inv.State, inv.Created, inv.Updated = installer.Pending, now, now
		batch.Items = append(batch.Items, installer.Item{Invocation: *inv, Credentials: plan.Items[i].Credentials})
	}
	batch.Total, batch.Open = len(batch.Items), len(batch.Items)
	return batch
}
