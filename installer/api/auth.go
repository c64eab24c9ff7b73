package api

import (
	"crypto/subtle"
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

// repeatable is how long a signature may come again where it only reads: its date has
// whole seconds, and an SDK that polls twice within one signs both requests alike.
const repeatable = 2 * time.Second

// unknownKey is checked in place of a key that does not exist, so that its
// absence is answered alike, and takes as long.
var unknownKey = installer.NewSecret("an access key that is not known")

// checkSignature finds out who has signed the request. Where the request tells
// the hash of its body, nothing is read before the signature is verified.
func (h *handler) checkSignature(w http.ResponseWriter, c *Request, rt Route) (installer.Principal, error) {
	var nobody installer.Principal
	claim, err := signing.Parse(c.Request)
	if err != nil {
		return nobody, unauthenticated("signature: %w", err)
	}
	if !claim.Fresh(h.Clock()) {
		return nobody, unauthenticated("signature: X-Sdk-Date %s is more than %s from this machine's clock", claim.Date.Format(time.RFC3339), signing.Skew)
	}
	who, secret, err := h.Access.Key(c.Context(), claim.AccessKey)
	known := !errors.Is(err, installer.ErrNotFound)
	if !known {
		secret = unknownKey
	} else if err != nil {
		return nobody, err
	}
	hash := claim.Content
	if hash == "" {
		if err := h.readUnverified(w, c, rt); err != nil {
			return nobody, err
		}
		hash = signing.Hash(c.Body)
	}
	if !claim.Verify(c.Request, secret, hash) || !known {
		return nobody, unauthenticated("signature: the access key is not known, or its secret key did not make this signature")
	}
	c.claim = &claim
	return who, nil
}

// checkSigned holds the body of a verified request against what was signed, and
// refuses a signature that was seen before.
func (h *handler) checkSigned(c *Request, rt Route) error {
	if c.claim.Content != "" && subtle.ConstantTimeCompare([]byte(signing.Hash(c.Body)), []byte(c.claim.Content)) != 1 {
		return unauthenticated("signature: the body is not the one that was signed")
	}
	reads := rt.Rights == installer.ReadRights
	seen, ago, err := h.Access.SeeSignature(c.Context(), c.Principal.Project, c.claim.AccessKey, c.claim.Signature, c.claim.Expires(), reads)
	switch {
	case errors.Is(err, installer.ErrFull):
		e := Refuse(http.StatusTooManyRequests, CodeInvalidRequest, "too many signed requests of this access key, or of its project, in the last minutes: a signature is remembered until its date is too old")
		e.RetryAfter, e.cause = time.Minute, err
		return e
	case err != nil:
		return err
	case seen && (!reads || ago > repeatable):
		return unauthenticated("signature: seen before: a request that is sent again must be signed again, with another X-Sdk-Date")
	}
	return nil
}
