package api

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"time"

	"tripod/installer"
	"tripod/installer/api/limits"
	"tripod/installer/signing"
)

const (
	headerToken = "X-Auth-Token"
	maxToken    = 16384 // characters; the API's own limit
)

// authenticate finds out who asks, or refuses. It says no more than that:
// whatever is wrong is answered alike, and told to the log only.
func (h *handler) authenticate(w http.ResponseWriter, c *Request, rt Route) error {
	tokens := c.Header.Values(headerToken)
	var who installer.Principal
	var err error
	switch signs := signing.Signs(c.Request); {
	case signs && len(tokens) > 0: // which identity is meant is not for us to guess
		err = unauthenticated("both a signature and a token")
	case signs:
		who, err = h.checkSignature(w, c, rt)
	default:
		who, err = h.checkToken(c, tokens)
	}
	if err != nil {
		return err
	}
	if wait := h.rates.Take(who, h.Clock()); wait > 0 {
		e := Refuse(http.StatusTooManyRequests, CodeInvalidRequest, "too many requests: at most %d a second for one token or key", h.rates.PerSecond)
		e.RetryAfter = time.Duration(math.Ceil(wait.Seconds())) * time.Second
		return e
	}
	c.letIn(who)
	limits.Authenticated(c.Context(), who.Project)
	return nil
}

func (c *Request) letIn(who installer.Principal) {
	c.Principal = who
	c.Request = c.WithContext(installer.WithActor(c.Context(), who.String()))
}

func (h *handler) checkToken(c *Request, tokens []string) (installer.Principal, error) {
	if len(tokens) != 1 || tokens[0] == "" || len(tokens[0]) > maxToken {
		return installer.Principal{}, unauthenticated("no token, more than one, or one that is too long")
	}
	who, err := h.Access.CheckToken(c.Context(), tokens[0])
	if errors.Is(err, installer.ErrNotFound) {
		err = unauthenticated("a token that is not known")
	}
	return who, err
}

// unauthenticated is one answer for every reason; reason is for the log.
func unauthenticated(reason string, args ...any) *Error {
	e := Refuse(http.StatusUnauthorized, CodeUnauthenticated,
		"authentication fails or is not provided: send a valid token in X-Auth-Token, or sign the request with an access key")
	e.cause = fmt.Errorf(reason, args...)
	return e
}
