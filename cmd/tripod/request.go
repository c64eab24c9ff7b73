package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"github.com/oklog/ulid/v2"

	"tripod/installer"
	"tripod/installer/control"
	"tripod/installer/plan"
	"tripod/store"
)

// newRequest is for the present project, under an id of its own.
func (a *app) newRequest(task installer.Type, source string) plan.Request {
	return plan.Request{Project: a.project, BatchID: ulid.Make().String(), Task: task, Source: source}
}

// plan tells what would come of a request. Nothing is stored; where there is no state
// yet, nothing is known.
func (a *app) plan(ctx context.Context, req plan.Request) (p control.Planned, err error) {
	err = a.look(ctx, func(c *control.Client) error {
		p, err = c.Plan(ctx, req)
		return err
	})
	if errors.Is(err, store.ErrNoState) {
		return planInVoid(ctx, req)
	}
	return p, err
}

// planned is what would come of a request about hosts, with everything that is wrong
// with it: faults are those of the flags and files.
func (a *app) planned(ctx context.Context, req plan.Request, faults installer.Faults) (p control.Planned, err error) {
	if len(req.Hosts) > 0 {
		p, err = a.plan(ctx, req)
		if found, ok := errors.AsType[installer.Faults](err); ok && len(faults) > 0 {
			faults = append(faults, found...)
		} else if err != nil {
			return p, loginHint(err)
		}
	}
	return p, faults.Err()
}

// loginHint says what to do about hosts that cannot be logged in to.
func loginHint(err error) error {
	if _, ok := errors.AsType[*plan.MissingCredentials](err); ok {
		return usageError(fmt.Errorf("%w", err), "put it into the hosts file, give --ask-pass, --password-file or --identity, or import known hosts again with their logins (tripod hosts import)")
	}
	return err
}

// submit has a request stored.
func (e *engine) submit(ctx context.Context, req plan.Request) (control.Planned, error) {
	e.app.handed.sent = req.BatchID
	p, err := e.client.Submit(ctx, req)
	if _, lost := errors.AsType[*control.Unanswered](err); !lost {
		e.app.handed.sent = ""
	}
	for _, note := range p.Notes {
		e.app.notef("note: %s", note)
	}
	return p, err
}

// void is a ledger of which nothing is asked but what is known of hosts.
type void struct{ installer.Ledger }

func (void) HostAt(context.Context, string, installer.Host) (installer.Host, error) {
	return installer.Host{}, installer.ErrNotFound
}

func (void) HostCredentials(context.Context, string, installer.Host) (installer.Credentials, error) {
	return installer.Credentials{}, installer.ErrNotFound
}

func (void) Routes(context.Context, string, installer.RouteChoice) ([]installer.Route, error) {
	return nil, nil
}

// planInVoid plans where nothing is known.
func planInVoid(ctx context.Context, req plan.Request) (control.Planned, error) {
	req.Whole = true
	return control.PlanWith(ctx, &plan.Planner{
		Ledger: void{}, HostKeys: installer.Insecure, Policy: func(netip.Addr) error { return nil },
		DefaultLogin: func(string) (installer.Login, bool) { return installer.Login{}, false },
	}, req)
}
