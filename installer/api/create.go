package api

import (
	"cmp"
	"context"
	"errors"

	"tripod/installer"
)

// Created is the answer of batch-create: one result per item asked for, in the
// order of the request.
type Created struct {
	Invocations []Result `json:"invocations"`
}

// Result is what became of one item. Of an accepted one there is no error: its
// fields have a form of their own in the API, which the empty string does not
// have. A refused one has the id that the request named: of the instance, or for
// RETRY and ROLLBACK of the invocation.
type Result struct {
	InstanceID   string   `json:"instance_id,omitempty"`
	InvocationID string   `json:"invocation_id,omitempty"`
	RetStatus    string   `json:"ret_status"`
	ErrorCode    ItemCode `json:"error_code,omitempty"`
	ErrorMsg     string   `json:"error_msg,omitempty"`
}

// Values of Result.RetStatus.
const (
	RetSuccessful = "successful"
	RetError      = "error"
)

// task is how one type of invocation is made of a request.
type task struct {
	needs string // the field that names what to work on
	plan  func(context.Context, service, string, *createRequest) ([]planned, error)
}

// tasks are all types.
var tasks = map[installer.Type]task{
	installer.RemoteInstall:      {needs: fieldHosts, plan: planRemoteInstall},
	installer.SetRemoteInstaller: {needs: fieldInstanceIDs, plan: planSetRemoteInstaller},
	installer.Install:            {needs: fieldInstanceIDs, plan: planKnown},
	installer.Update:             {needs: fieldInstanceIDs, plan: planKnown},
	installer.Retry:              {needs: fieldInvocationIDs, plan: planRetry},
	installer.Rollback:           {needs: fieldInvocationIDs, plan: planRollback},
}

// planned is one item of a request: work, or why it cannot be done.
type planned struct {
	// inv is what the item says of the new invocation; of a refused RETRY or
	// ROLLBACK, its ID is the one asked for.
	inv         installer.Invocation
	credentials installer.Credentials
	refused     *itemError
	// origin of a RETRY or ROLLBACK is what its chain began with.
	origin string
}

// createInvocations answers when the batch is on disk, and not before. Items
// that cannot be done do not keep the others back.
func (s service) createInvocations(c *call) (any, error) {
	req, err := decodeCreate(c.body)
	if err != nil {
		return nil, err
	}
	again, err := s.idempotent(c)
	if err != nil {
		return nil, err
	}
	if answer, err := again.answer(c.Context()); answer != nil || err != nil {
		return answer, err
	}
	answer, err := s.create(c, req, again)
	for range maxReplans {
		if !errors.Is(err, installer.ErrUnderWay) && !errors.Is(err, installer.ErrOvertaken) {
			break
		}
		// Another request came between plan and commit: now its task is seen.
		answer, err = s.create(c, req, again)
	}
	return answer, err
}

// maxReplans is how often a request is planned anew.
const maxReplans = 3

// create plans a request and stores what can be done of it.
func (s service) create(c *call, req *createRequest, again idempotent) (any, error) {
	plan, err := tasks[req.kind].plan(c.Context(), s, c.project, req)
	if err != nil {
		return nil, err
	}
	if err := s.noteDenied(c, req.kind, plan); err != nil {
		return nil, err
	}
	batch, answer := s.batch(c.project, req.kind, plan)
	if len(batch.Items) == 0 {
		return answer, nil
	}
	batch.By = c.who.String()
	if batch.Replay, err = again.replay(answer); err != nil {
		return nil, err
	}
	switch err := s.Ledger.Submit(c.Context(), batch); {
	case errors.Is(err, installer.ErrKeyTaken):
		return again.taken(c.Context())
	case err != nil:
		return nil, err
	}
	s.Wake()
	return answer, nil
}

func (s service) batch(project string, kind installer.Type, plan []planned) (installer.Batch, Created) {
	now := s.Clock()
	batch := installer.Batch{BatchHead: installer.BatchHead{ID: s.NewID(), ProjectID: project, Created: now, Source: "api"}}
	answer := Created{Invocations: make([]Result, len(plan))}
	for i, p := range plan {
		inv := p.inv
		if p.refused != nil {
			answer.Invocations[i] = Result{InstanceID: inv.Host.ID, InvocationID: inv.ID, RetStatus: RetError, ErrorCode: p.refused.code, ErrorMsg: p.refused.msg}
			continue
		}
		inv.ID, inv.BatchID, inv.ProjectID, inv.Type = s.NewID(), batch.ID, project, kind
		inv.RunID = cmp.Or(inv.RunID, inv.ID)
		inv.Host.Type = cmp.Or(inv.Host.Type, installer.ECS) // lists are filtered by it
		inv.State, inv.Created, inv.Updated = installer.Pending, now, now
		batch.Items = append(batch.Items, installer.Item{Invocation: inv, Credentials: p.credentials})
		answer.Invocations[i] = Result{InstanceID: inv.Host.ID, InvocationID: inv.ID, RetStatus: RetSuccessful}
	}
	batch.Total, batch.Open = len(batch.Items), len(batch.Items)
	return batch, answer
}

// spec puts what the request says over the daemon's defaults.
func (s service) spec(req *createRequest) installer.Spec {
	spec := s.Spec
	spec.Version = cmp.Or(req.version, spec.Version)
	spec.VersionType, spec.Origin = req.versionType, req.origin
	return spec
}

// credentialMissing tells "nothing is kept" from "cannot be read".
func credentialMissing(err error) bool {
	f, ok := errors.AsType[*installer.Failure](err)
	return errors.Is(err, installer.ErrNotFound) || ok && f.Kind == installer.KindCredentialMissing
}
