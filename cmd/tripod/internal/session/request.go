package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/oklog/ulid/v2"

	"tripod/cmd/tripod/internal/exit"
	"tripod/cmd/tripod/internal/report"
	"tripod/installer"
	"tripod/installer/control"
	"tripod/installer/plan"
	"tripod/store"
)

// NewRequest is for the present project, under an id of its own.
func (f *RunFlags) NewRequest(s *Session, task installer.Type, source string) (plan.Request, error) {
	limit, err := f.failureLimit()
	id := ulid.Make().String()
	return plan.Request{
		Project: s.Project, BatchID: id, Task: task, Source: source, MaxFailures: limit, Spec: installer.Spec{KeepTrying: f.KeepTrying},
	}, err
}

// Plan tells what would come of a request about hosts, with everything that is wrong
// with it: faults are those of the flags and files. Nothing is stored; where there is
// no state yet, nothing is known.
func (s *Session) Plan(ctx context.Context, req plan.Request, faults installer.Faults) (p control.Planned, err error) {
	if len(req.Hosts) > 0 {
		p, err = Ask(ctx, s, control.PlanBatch, req)
		if errors.Is(err, store.ErrNoState) {
			p, err = s.planWithoutState(ctx, req)
		}
		if found, ok := errors.AsType[installer.Faults](err); ok && len(faults) > 0 {
			faults = append(faults, found...)
		} else if err != nil {
			return p, loginHint(err)
		}
	}
	return p, faults.Err()
}

func loginHint(err error) error {
	if _, ok := errors.AsType[*plan.MissingCredentials](err); ok {
		return exit.UsageError(err, "put it into the hosts file, give --ask-pass, --password-file or --identity, or import the hosts again with their logins (tripod hosts import)")
	}
	return err
}

func (j *Job) Submit(ctx context.Context, req plan.Request) (control.Planned, error) {
	j.unconfirmed = req.BatchID
	p, err := j.Client.Submit(ctx, req)
	if ifUnanswered(err) == nil {
		j.unconfirmed = ""
	}
	for _, note := range p.Notes {
		j.Notef("note: %s", note)
	}
	return p, loginHint(err)
}

// KnownHosts are all hosts of the inventory; where there is no state yet, there are none.
func (s *Session) KnownHosts(ctx context.Context) ([]installer.KnownHost, error) {
	all, err := Read(ctx, s, func(c *control.Client) ([]installer.KnownHost, error) { return c.Hosts(ctx, nil) })
	if errors.Is(err, store.ErrNoState) {
		err = nil
	}
	return all, err
}

// planWithoutState plans on an empty state folder, which is deleted again.
func (s *Session) planWithoutState(ctx context.Context, req plan.Request) (p control.Planned, err error) {
	dir, err := os.MkdirTemp("", "tripod-")
	if err != nil {
		return p, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	empty := *s
	empty.Flags.StateDir = dir
	err = empty.Change(ctx, func(c *control.Client) (err error) {
		p, err = control.PlanBatch.Call(ctx, c, req)
		return err
	})
	return p, err
}

// FindInvocation finds what a user means: an invocation's id, or the address or name of
// a host in the newest batch that has it.
func FindInvocation(ctx context.Context, c *control.Client, what string) (installer.Invocation, error) {
	inv, err := control.GetInvocation.Call(ctx, c, control.ID{ID: what})
	if !errors.Is(err, installer.ErrNotFound) {
		return inv, err
	}
	const newest = 20
	heads, err := control.ListBatches.Call(ctx, c, control.Newest{Limit: newest})
	if err != nil {
		return inv, err
	}
	for _, head := range heads {
		found, err := c.Invocations(ctx, head.ID, "")
		if err != nil {
			return inv, err
		}
		found = slices.DeleteFunc(found, func(inv installer.Invocation) bool {
			h := inv.Host
			return what != h.Address && what != h.HostPort() && what != h.Name && what != h.ID
		})
		switch {
		case len(found) == 1:
			return found[0], nil
		case len(found) > 1:
			return inv, exit.UsageError(fmt.Errorf("%d hosts of batch %s are called %q", len(found), head.ID, what),
				"give the port too, or the invocation id from `tripod status "+head.ID+"`")
		}
	}
	return inv, exit.UsageError(fmt.Errorf("no invocation and no host of the newest batches is called %q", what), "see `tripod status`")
}

// FindBatch finds the batch that a user means, or the one invocation of a batch.
func FindBatch(
	ctx context.Context, c *control.Client, what string,
) (batchID string, only *installer.Invocation, err error) {
	_, err = control.GetBatch.Call(ctx, c, control.ID{ID: what})
	if !errors.Is(err, installer.ErrNotFound) {
		return what, nil, err
	}
	inv, err := FindInvocation(ctx, c, what)
	return inv.BatchID, &inv, err
}

func InvocationsByID(ctx context.Context, c *control.Client, ids []string) (invs []installer.Invocation, err error) {
	for _, id := range ids {
		inv, err := control.GetInvocation.Call(ctx, c, control.ID{ID: id})
		if err != nil {
			return nil, err
		}
		invs = append(invs, inv)
	}
	return invs, nil
}

func Report(ctx context.Context, c *control.Client, batchID string, invs []installer.Invocation) report.Report {
	return report.Report{BatchID: batchID, Retry: batchID, Invocations: invs, LogTail: func(id string) (string, error) { return logTail(ctx, c, id) }}
}

// logTail returns the end of an invocation's log; empty if it has none, or none
// that can be read. A daemon that does not answer is an error: each of the others
// would wait for it again.
func logTail(ctx context.Context, c *control.Client, id string) (string, error) {
	const most = 64 << 10
	log, err := c.Log(ctx, id)
	if err != nil {
		return "", ifUnanswered(err)
	}
	defer log.Close()
	text, err := io.ReadAll(log) // a store bounds it
	return string(text[max(0, len(text)-most):]), ifUnanswered(err)
}
