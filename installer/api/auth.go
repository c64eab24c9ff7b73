package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"tripod/installer"
	"tripod/installer/signing"
)

const (
	headerToken = "X-Auth-Token"
	maxToken    = 16384 // characters; the API's own limit
)

// Tokens tells whose token it is.
type Tokens interface {
	// CheckToken compares in constant time. ErrNotFound for a token that is not
	// known; any other error means that nothing can be said.
	CheckToken(ctx context.Context, token string) (installer.Principal, error)
}

// authenticate finds out who asks, or refuses. It says no more than that:
// whatever is wrong is answered alike, and told to the log only.
func (h *handler) authenticate(w http.ResponseWriter, c *call, rt route) error {
	tokens := c.Header.Values(headerToken)
	var who installer.Principal
	var err error
	switch signs := signing.Signs(c.Request); {
	case signs && len(tokens) > 0:
		// Which of the two identities is meant is not for us to guess.
		err = unauthenticated("both a signature and a token")
	case signs:
		who, err = h.checkSignature(w, c, rt)
	default:
		who, err = h.checkToken(c, tokens)
	}
	if err != nil {
		return err
	}
	c.who, c.project = who, who.Project
	connOf(c.Context()).authenticated(c.project)
	c.Request = c.WithContext(installer.WithActor(c.Context(), c.who.String()))
	return nil
}

func (h *handler) checkToken(c *call, tokens []string) (installer.Principal, error) {
	if len(tokens) != 1 || tokens[0] == "" || len(tokens[0]) > maxToken {
		return installer.Principal{}, unauthenticated("no token, more than one, or one that is too long")
	}
	who, err := h.Tokens.CheckToken(c.Context(), tokens[0])
	switch {
	case errors.Is(err, installer.ErrNotFound):
		return who, unauthenticated("a token that is not known")
	case err != nil:
		return who, err
	}
	return who, h.limits.take(who, h.Clock())
}

// unauthenticated is one answer for every reason; reason is for the log.
func unauthenticated(reason string, args ...any) *Error {
	e := refuse(http.StatusUnauthorized, CodeUnauthenticated,
		"authentication fails or is not provided: send a valid token in X-Auth-Token, or sign the request with an access key")
	e.cause = fmt.Errorf(reason, args...)
	return e
}

// authorize holds the caller to its rights.
func authorize(who installer.Principal, rt route) error {
	if who.Rights.Allow(rt.rights) {
		return nil
	}
	return refuse(http.StatusForbidden, CodeForbidden, "not enough rights: this %s may only look", who.Kind)
}
