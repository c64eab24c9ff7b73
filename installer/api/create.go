package api

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"

	"tripod/installer"
	"tripod/installer/lazyregexp"
	"tripod/installer/plan"
	"tripod/installer/signing"
)

// Created is the answer of batch-create: one result per item asked for, in the
// order of the request.
type Created struct {
	Invocations []Result `json:"invocations"`
}

// Result is what became of one item. A refused one has the id that the request named:
// of the instance, or for RETRY and ROLLBACK of the invocation.
type Result struct {
	InstanceID   string `json:"instance_id,omitempty"`
	InvocationID string `json:"invocation_id,omitempty"`
	RetStatus    string `json:"ret_status"`
	ErrorCode    Code   `json:"error_code,omitempty"`
	ErrorMsg     string `json:"error_msg,omitempty"`
}

// maxItemMsg is the API's limit for an item's error_msg, in characters.
const maxItemMsg = 128

const (
	RetSuccessful = "successful"
	RetError      = "error"
)

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
func (h *handler) createInvocations(c *Request) (any, error) {
	req, err := decodeCreate(c.Body)
	if err != nil {
		return nil, err
	}
	key, err := h.idempotencyKey(c)
	if err != nil {
		return nil, err
	}
	want := h.request(c, req)
	if key != "" {
		if answer, err := h.replay(c, key); !errors.Is(err, installer.ErrNotFound) {
			return answer, err
		}
		want.Replay = func(p *plan.Plan) (*installer.Replay, error) { return h.replayOf(c, key, p) }
	}
	made, err := h.Planner.Submit(c.Context(), want)
	if errors.Is(err, installer.ErrKeyTaken) { // by a request a moment ago
		if answer, err := h.replay(c, key); !errors.Is(err, installer.ErrNotFound) {
			return answer, err
		}
	}
	if err != nil {
		return nil, err
	}
	if made.Accepted() > 0 {
		h.Wake()
	}
	return created(made), nil
}

// request puts what the body says over the daemon's fallback.
func (h *handler) request(c *Request, req plan.Request) plan.Request {
	said, spec := req.Spec, h.Fallback
	spec.Packages, spec.Online = nil, nil // looked for in the package store first
	spec.Target, spec.HostKeys = cmp.Or(spec.Target, installer.TargetTelescope), h.HostKeys
	spec.Version, spec.VersionType, spec.Origin = cmp.Or(said.Version, spec.Version), said.VersionType, said.Origin
	if req.Task == installer.SetRemoteInstaller {
		spec.DropScript() // nothing is installed on it
	}
	req.Project, req.By, req.Source, req.Spec = c.Principal.Project, c.Principal.String(), "api", spec
	return req
}

func created(p *plan.Plan) Created {
	answer := Created{Invocations: make([]Result, len(p.Items))}
	for i, item := range p.Items {
		result := Result{InstanceID: item.Invocation.Host.ID, InvocationID: item.Invocation.ID, RetStatus: RetSuccessful}
		if item.Refused != nil {
			result.RetStatus, result.ErrorCode = RetError, itemCode(item.Refused.Reason)
			result.ErrorMsg = Clip(item.Refused.Msg, maxItemMsg)
		}
		answer.Invocations[i] = result
	}
	return answer
}

const headerIdempotencyKey = "Idempotency-Key"

var idempotencyForm = lazyregexp.New(`^[\x20-\x7e]{1,255}$`)

// idempotencyKey of a request that is answered once, however often it comes. It is
// stored in one transaction with the batch: no batch, no key. Empty: it has none.
func (h *handler) idempotencyKey(c *Request) (string, error) {
	values := c.Header.Values(headerIdempotencyKey)
	switch {
	case len(values) == 0:
		return "", nil
	case len(values) > 1 || !idempotencyForm.MatchString(values[0]):
		return "", Refuse(http.StatusBadRequest, CodeInvalidRequest, "%s: must be one value of 1–255 printable ASCII characters", headerIdempotencyKey)
	}
	return values[0], nil
}

// replay is the answer that was given to this key before; ErrNotFound: none.
func (h *handler) replay(c *Request, key string) (any, error) {
	old, err := h.Store.Replay(c.Context(), c.Principal.Project, key)
	switch {
	case err != nil:
		return nil, err
	case old.Body != signing.Hash(c.Body):
		return nil, Refuse(http.StatusConflict, CodeInvalidRequest, "%s: was used before for a request with another body: take a new key for a new request", headerIdempotencyKey)
	}
	return json.RawMessage(old.Answer), nil
}

// replayOf is what to store beside the batch.
func (h *handler) replayOf(c *Request, key string, p *plan.Plan) (*installer.Replay, error) {
	raw, err := json.Marshal(created(p))
	return &installer.Replay{Key: key, Body: signing.Hash(c.Body), Answer: raw, At: h.Clock()}, err
}
