package api

import (
	"context"
	"errors"
	"strings"

	"tripod/installer"
)

// planRetry makes one RETRY per named invocation. What failed for want of a
// package looks for one anew.
func planRetry(ctx context.Context, s service, project string, req *createRequest) ([]planned, error) {
	return s.planAgain(ctx, project, installer.Retry, req.invocationIDs, func(old *installer.Invocation) (installer.Invocation, *itemError, error) {
		inv := installer.RetryOf(old)
		if old.Kind != installer.KindPackageMissing || inv.Task() == installer.Rollback {
			return inv, nil, nil
		}
		fitted, err := s.fitting(ctx, project, inv.Spec, []string{old.Host.ID})
		if err != nil {
			return inv, nil, err
		}
		var noPackage *itemError
		inv.Spec, noPackage, err = fitted.on(ctx, old.Host.ID)
		return inv, noPackage, err
	})
}

// planRollback makes one ROLLBACK per named invocation.
func planRollback(ctx context.Context, s service, project string, req *createRequest) ([]planned, error) {
	return s.planAgain(ctx, project, installer.Rollback, req.invocationIDs, func(old *installer.Invocation) (installer.Invocation, *itemError, error) {
		return installer.RollbackOf(old), nil, nil
	})
}

type remake func(old *installer.Invocation) (installer.Invocation, *itemError, error)

func (s service) planAgain(ctx context.Context, project string, kind installer.Type, ids []string, of remake) ([]planned, error) {
	plan := make([]planned, len(ids))
	asked := map[string]bool{} // origins
	for i, id := range ids {
		p, err := s.again(ctx, project, kind, id, of)
		if err != nil {
			return nil, err
		}
		if p.refused == nil && asked[p.origin] {
			p.refused = itemFault(ItemUnderWay, "another item of this request is about the same original")
		}
		if p.refused == nil {
			asked[p.origin] = true
		}
		if p.refused != nil {
			p.inv.ID = id
		}
		plan[i] = p
	}
	return plan, nil
}

// again plans a task about an invocation that is there. Its host is the one
// that is known by that id now, with the login that it came with, or a better one
// that is known since. Where that id is another machine now, nothing is undone there.
func (s service) again(ctx context.Context, project string, kind installer.Type, id string, of remake) (planned, error) {
	old, err := s.Ledger.Invocation(ctx, project, id)
	switch {
	case errors.Is(err, installer.ErrNotFound), err == nil && old.Spec.CheckOnly: // a look is no task of the API
		return planned{refused: itemFault(ItemUnknownInvocation, "no such invocation in this project")}, nil
	case err != nil:
		return planned{}, err
	}
	p := planned{inv: installer.Invocation{Host: old.Host}}
	if why := installer.Allow(kind, &old); why != nil {
		p.refused = itemFault(ItemNotAllowed, why.Error())
		return p, nil
	}
	if p.origin, err = s.origin(ctx, &old); err != nil {
		return p, err
	}
	if p.refused, err = s.underWay(ctx, &old, p.origin); p.refused != nil || err != nil {
		return p, err
	}
	host, creds, err := s.Ledger.CredentialsAgain(ctx, &old)
	switch {
	case errors.Is(err, installer.ErrNotFound):
		p.refused = itemFault(ItemUnknownInstance, "no such instance in this project")
		return p, nil
	case err != nil && !credentialMissing(err):
		return p, err
	}
	if p.refused = s.denied(host.Address); p.refused != nil {
		return p, nil
	}
	if same, err := s.workedOn(ctx, host, &old); err != nil {
		return p, err
	} else if !same {
		p.refused = itemFault(ItemNotAllowed, "the instance is another machine now: "+reached(host)+"; it was "+reached(old.Host))
		return p, nil
	}
	if creds, p.refused, err = s.keptOrDefault(ctx, project, &host, creds); p.refused != nil || err != nil {
		return p, err
	}
	p.inv, p.refused, err = of(&old)
	p.inv.Host, p.credentials = host, creds
	if p.inv.Spec.HostKeys.WeakerThan(s.Spec.HostKeys) { // the daemon's rules have become stricter
		p.inv.Spec.HostKeys = s.Spec.HostKeys
	}
	return p, err
}

// reached says what tells one machine from another.
func reached(h installer.Host) string {
	var b strings.Builder
	b.WriteString(h.HostPort())
	for _, hop := range h.Via {
		b.WriteString(" via " + hop.HostPort())
	}
	if h.Through != nil {
		b.WriteString(" through installers")
	}
	return b.String()
}

// origin is the id at the end of inv's chain of RETRYs and ROLLBACKs.
func (s service) origin(ctx context.Context, inv *installer.Invocation) (string, error) {
	id, of := inv.ID, inv.Of
	for of != "" {
		older, err := s.Ledger.Invocation(ctx, inv.ProjectID, of)
		if errors.Is(err, installer.ErrNotFound) {
			return of, nil
		}
		if err != nil {
			return "", err
		}
		id, of = older.ID, older.Of
	}
	return id, nil
}

// underWay looks for an open RETRY or ROLLBACK about the same original: of two at
// once, each would do its work on what the other leaves.
func (s service) underWay(ctx context.Context, old *installer.Invocation, origin string) (*itemError, error) {
	for _, state := range []installer.State{installer.Pending, installer.Running} {
		page, err := s.Ledger.Invocations(ctx, installer.Filter{
			ProjectID: old.ProjectID, InstanceID: old.Host.ID, State: state,
		})
		if err != nil {
			return nil, err
		}
		for _, inv := range page.Invocations {
			if inv.Of == "" {
				continue
			}
			about, err := s.origin(ctx, &inv)
			if err != nil {
				return nil, err
			}
			if about == origin {
				return itemFault(ItemUnderWay, "a "+string(inv.Type)+" of it is under way already: "+inv.ID), nil
			}
		}
	}
	return nil, nil
}
