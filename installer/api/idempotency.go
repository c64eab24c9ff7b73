package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"

	"tripod/installer"
)

const headerIdempotencyKey = "Idempotency-Key"

var idempotencyKey = regexp.MustCompile(`^[\x20-\x7e]{1,255}$`)

// idempotent is a request that is answered once, however often it comes: the
// same key and body get the first one's answer. The key is stored in one
// transaction with the batch, so one of which nothing could be done takes none,
// and is looked at anew when it comes again.
//
// The zero value, for a request without a key, remembers nothing.
type idempotent struct {
	s                  service
	project, key, body string // body: SHA-256, hex
}

// idempotent reads the header of a request.
func (s service) idempotent(c *call) (idempotent, error) {
	values := c.Header.Values(headerIdempotencyKey)
	switch {
	case len(values) == 0:
		return idempotent{}, nil
	case len(values) > 1 || !idempotencyKey.MatchString(values[0]):
		return idempotent{}, refuse(http.StatusBadRequest, CodeInvalidRequest, "%s: must be one value of 1–255 printable ASCII characters", headerIdempotencyKey)
	case s.Replays == nil:
		return idempotent{}, refuse(http.StatusBadRequest, CodeInvalidRequest, "%s: is not offered by this server", headerIdempotencyKey)
	}
	sum := sha256.Sum256(c.body)
	return idempotent{s, c.project, values[0], hex.EncodeToString(sum[:])}, nil
}

// answer is the one that was given before; nil: there is none.
func (i idempotent) answer(ctx context.Context) (any, error) {
	if i.key == "" {
		return nil, nil
	}
	old, err := i.s.Replays.Replay(ctx, i.project, i.key)
	switch {
	case errors.Is(err, installer.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	case old.Body != i.body:
		return nil, refuse(http.StatusConflict, CodeInvalidRequest, "%s: was used before for a request with another body: take a new key for a new request", headerIdempotencyKey)
	}
	return json.RawMessage(old.Answer), nil
}

// taken is the answer of the request that took the key a moment ago.
func (i idempotent) taken(ctx context.Context) (any, error) {
	answer, err := i.answer(ctx)
	if answer == nil && err == nil {
		err = installer.ErrKeyTaken // and forgotten in the same moment
	}
	return answer, err
}

// replay is what to store beside the batch; nil: nothing.
func (i idempotent) replay(answer Created) (*installer.Replay, error) {
	if i.key == "" {
		return nil, nil
	}
	raw, err := json.Marshal(answer)
	return &installer.Replay{Key: i.key, Body: i.body, Answer: raw, At: i.s.Clock()}, err
}
