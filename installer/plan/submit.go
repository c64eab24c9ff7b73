package plan

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tripod/installer"
)

// Submit plans a request and stores what can be done of it. When it returns, that is
// on disk; if nothing can be done, nothing is stored. What keeps an Interactive request
// back is an installer.Faults or a MissingCredentials.
func (p *Planner) Submit(ctx context.Context, req Request) (*Plan, error) {
	const mostPlans = 4
	for n := 1; ; n++ {
		plan, err := p.Plan(ctx, req)
		if err == nil && n == 1 {
			err = p.noteDenied(ctx, plan)
		}
		if err == nil {
			err = plan.Err()
		}
		if err != nil {
			return plan, err
		}
		err = p.store(ctx, plan)
		// Where another request came between plan and commit, its task or batch is seen now.
		between := errors.Is(err, installer.ErrUnderWay) || errors.Is(err, installer.ErrSuperseded)
		if !between || n == mostPlans {
			return plan, err
		}
	}
}

func (p *Planner) store(ctx context.Context, plan *Plan) (err error) {
	fingerprint := ""
	if plan.Resume {
		if fingerprint, err = plan.fingerprint(); err != nil {
			return err
		}
		head, found, err := p.Store.OpenBatch(ctx, plan.Project, fingerprint)
		if err != nil {
			return err
		}
		if found {
			return p.resume(ctx, plan, head)
		}
	}
	if batch := p.batch(plan, fingerprint); len(batch.Items) > 0 {
		if plan.Replay != nil {
			if batch.Replay, err = plan.Replay(plan); err != nil {
				return err
			}
		}
		if err := p.Store.Submit(ctx, batch); err != nil {
			return err
		}
	}
	return p.refresh(ctx, plan.Items)
}

// batch is made of what can be done. The plan gets the ids too.
func (p *Planner) batch(plan *Plan, fingerprint string) installer.Batch {
	now := p.Clock()
	plan.BatchID = cmp.Or(plan.BatchID, p.NewID())
	batch := installer.Batch{BatchHead: installer.BatchHead{
		ID: plan.BatchID, ProjectID: plan.Project, Created: now, Source: plan.Source, By: plan.By,
		MaxFailures: plan.Limit(), Fingerprint: fingerprint, Content: plan.Content,
	}}
	for i := range plan.Items {
		if plan.Items[i].Standing != New {
			continue
		}
		inv := &plan.Items[i].Invocation
		inv.ID, inv.BatchID, inv.ProjectID, inv.Type = p.NewID(), batch.ID, plan.Project, plan.Task
		inv.RunID = cmp.Or(inv.RunID, inv.ID)
		inv.Host.Type = cmp.Or(inv.Host.Type, installer.ECS) // lists are filtered by it
		inv.State, inv.Created, inv.Updated = installer.Pending, now, now
		batch.Items = append(batch.Items, installer.Item{Invocation: *inv, Credentials: plan.Items[i].Credentials})
	}
	batch.Total, batch.Open = len(batch.Items), len(batch.Items)
	return batch
}

// fingerprint is equal for the same work: task, hosts and spec as it was asked for,
// in any order of the hosts, without credentials.
func (p *Plan) fingerprint() (string, error) {
	parts := make([]string, 0, len(p.Items)+2)
	for i := range p.Items {
		raw, err := json.Marshal(p.Items[i].Invocation.Host)
		if err != nil {
			return "", fmt.Errorf("fingerprint of the hosts: %w", err)
		}
		parts = append(parts, string(raw))
	}
	slices.Sort(parts)
	raw, err := json.Marshal(p.Spec)
	if err != nil {
		return "", fmt.Errorf("fingerprint of the work: %w", err)
	}
	sum := sha256.Sum256([]byte(strings.Join(append(parts, string(raw), string(p.Task)), "\n")))
	return hex.EncodeToString(sum[:]), nil
}

// resume goes on with an unfinished batch of the same work, with the logins of now.
func (p *Planner) resume(ctx context.Context, plan *Plan, head installer.BatchHead) error {
	page, err := p.Store.Invocations(ctx, installer.Filter{ProjectID: plan.Project, BatchID: head.ID})
	if err != nil {
		return err
	}
	byHost := make(map[string]*Item, len(plan.Items))
	for i := range plan.Items {
		byHost[plan.Items[i].Invocation.Host.ID] = &plan.Items[i]
	}
	items := make([]Item, len(page.Invocations))
	for i, inv := range page.Invocations {
		now := cmp.Or(byHost[inv.Host.ID], &Item{})
		items[i] = Item{Standing: Open, Invocation: inv, Credentials: now.Credentials, given: now.given}
	}
	plan.BatchID, plan.Resumed = head.ID, &head
	return p.refresh(ctx, items)
}

// refresh gives other logins to what is under way.
func (p *Planner) refresh(ctx context.Context, items []Item) error {
	byBatch := map[string]map[string]installer.Credentials{}
	for _, item := range items {
		inv := item.Invocation
		unchecked := !item.given && inv.Spec.HostKeys == installer.Insecure
		if item.Standing != Open || inv.State.Terminal() || item.Credentials.Login.IsZero() || unchecked {
			continue
		}
		if byBatch[inv.BatchID] == nil {
			byBatch[inv.BatchID] = map[string]installer.Credentials{}
		}
		byBatch[inv.BatchID][inv.ID] = item.Credentials
	}
	for batch, creds := range byBatch {
		if err := p.Store.RefreshCredentials(ctx, batch, creds); err != nil {
			return err
		}
	}
	return nil
}

// MissingCredentials are the hosts for which no login is known.
type MissingCredentials struct{ installer.Faults }

func (m *MissingCredentials) Unwrap() error { return m.Faults }

// Err is what keeps an Interactive request back as a whole. Of a RETRY or ROLLBACK, only
// that logins are missing, or that there is nothing else.
func (p *Plan) Err() error {
	if !p.Interactive {
		return nil
	}
	var missing, all installer.Faults
	for i := range p.Items {
		item := &p.Items[i]
		if item.Refused == nil {
			continue
		}
		fault := installer.Fault{Where: item.Where, What: item.Refused.Msg}
		switch item.Refused.Reason {
		case CredentialMissing, JumpHostCredentialMissing:
			missing = append(missing, fault)
		case PackageMissing:
			if item.Edition != "" {
				break
			}
			if fault.Where = "package"; slices.Contains(all, fault) { // the same for many hosts
				continue
			}
		}
		all = append(all, fault)
	}
	switch {
	case len(missing) > 0 && len(missing) == len(all) || len(missing) > 0 && p.FollowsUp():
		return &MissingCredentials{missing}
	case p.allOrNone() || p.count(New, Open, Done) == 0:
		return all.Err()
	}
	return nil
}
