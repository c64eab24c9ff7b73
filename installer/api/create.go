package api

import (
	"cmp"
	"errors"

	"tripod/installer"
	"tripod/installer/plan"
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

// namedBy is the field that names what each type is about.
var namedBy = map[installer.Type]string{
	installer.RemoteInstall:      fieldHosts,
	installer.SetRemoteInstaller: fieldInstanceIDs,
	installer.Install:            fieldInstanceIDs,
	installer.Update:             fieldInstanceIDs,
	installer.Retry:              fieldInvocationIDs,
	installer.Rollback:           fieldInvocationIDs,
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
	want := s.request(req)
	want.Project, want.By = c.project, c.who.String()
	if again.key != "" {
		want.Replay = func(p *plan.Plan) (*installer.Replay, error) { return again.replay(created(p)) }
	}
	made, err := s.planner.Submit(c.Context(), want)
	switch {
	case errors.Is(err, installer.ErrKeyTaken):
		return again.taken(c.Context())
	case err != nil:
		return nil, err
	}
	if made.Accepted() > 0 {
		s.Wake()
	}
	return created(made), nil
}

// request puts what the body says over the daemon's defaults.
func (s service) request(req *createRequest) plan.Request {
	want := plan.Request{Source: "api", Task: req.kind, Spec: s.Spec}
	want.Spec.Packages, want.Spec.Online = nil, nil // those of the planner's fallback
	want.Spec.Version = cmp.Or(req.version, s.Spec.Version)
	want.Spec.VersionType, want.Spec.Origin = req.versionType, req.origin
	switch req.kind {
	case installer.Retry, installer.Rollback:
		want.Of = req.invocationIDs
	case installer.RemoteInstall:
		want.Hosts, want.Installers = req.hosts, req.instanceIDs
	case installer.SetRemoteInstaller:
		want.Spec.Script = nil // nothing is installed on it
		want.Known = req.instanceIDs
	default:
		want.Known = req.instanceIDs
	}
	return want
}

// created is the answer that tells a plan.
func created(p *plan.Plan) Created {
	answer := Created{Invocations: make([]Result, len(p.Items))}
	for i, item := range p.Items {
		inv, result := item.Invocation, &answer.Invocations[i]
		if *result = (Result{InstanceID: inv.Host.ID, InvocationID: inv.ID, RetStatus: RetSuccessful}); item.Refused != nil {
			result.RetStatus, result.ErrorCode = RetError, itemCode(item.Refused.Reason)
			result.ErrorMsg = clip(item.Refused.Msg, maxItemMsg)
		}
	}
	return answer
}
