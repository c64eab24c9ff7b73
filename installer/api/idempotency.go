package api

import (
	"encoding/json"
	"net/http"

	"tripod/installer"
	"tripod/installer/lazyregexp"
	"tripod/installer/plan"
	"tripod/installer/signing"
)

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
