package api

import (
	"cmp"
	"context"
	"errors"
	"net/http"

	"tripod/installer"
)

// Created is the answer of batch-create: one result per item asked for, in the
// order of the request.
type Created struct {
	Invocations []Result `json:"invocations"`
}

// Result is what became of one item. Of a refused one there is no
// invocation_id, of an accepted one no error: both have a form of their own in
// the API, which the empty string does not have.
type Result struct {
	InstanceID   string   `json:"instance_id"`
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

// tasks are the types that are offered.
var tasks = map[installer.Type]task{
	installer.RemoteInstall:      {needs: fieldHosts, plan: planRemoteInstall},
	installer.SetRemoteInstaller: {needs: fieldInstanceIDs, plan: planSetRemoteInstaller},
}

// planned is one item of a request: work, or why it cannot be done.
type planned struct {
	host        installer.Host
	spec        installer.Spec
	credentials installer.Credentials
	refused     *itemError
}

// createInvocations answers when the batch is on disk, and not before. Items
// that cannot be done do not keep the others back.
func (s service) createInvocations(c *call) (any, error) {
	req, err := decodeCreate(c.body)
	if err != nil {
		return nil, err
	}
	t, offered := tasks[req.kind]
	if !offered {
		return nil, refuse(http.StatusBadRequest, CodeInvalidRequest, "%s: %s is not offered by this version", fieldType, req.kind)
	}
	plan, err := t.plan(c.Context(), s, c.project, req)
	if err != nil {
		return nil, err
	}
	batch, answer := s.batch(c.project, req.kind, plan)
	if len(batch.Items) > 0 {
		if err := s.Ledger.Submit(c.Context(), batch); err != nil {
			return nil, err
		}
		s.Wake()
	}
	return answer, nil
}

func (s service) batch(project string, kind installer.Type, plan []planned) (installer.Batch, Created) {
	now := s.Clock()
	batch := installer.Batch{BatchHead: installer.BatchHead{ID: s.NewID(), ProjectID: project, Created: now, Source: "api"}}
	answer := Created{Invocations: make([]Result, len(plan))}
	for i, p := range plan {
		if p.refused != nil {
			answer.Invocations[i] = Result{InstanceID: p.host.ID, RetStatus: RetError, ErrorCode: p.refused.code, ErrorMsg: p.refused.msg}
			continue
		}
		id := s.NewID()
		batch.Items = append(batch.Items, installer.Item{
			Invocation: installer.Invocation{
				ID: id, BatchID: batch.ID, ProjectID: project, RunID: id,
				Type: kind, Host: p.host, Spec: p.spec,
				State: installer.Pending, Created: now, Updated: now,
			},
			Credentials: p.credentials,
		})
		answer.Invocations[i] = Result{InstanceID: p.host.ID, InvocationID: id, RetStatus: RetSuccessful}
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
