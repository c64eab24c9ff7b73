package api

import "net/http"

const (
	headerToken = "X-Auth-Token"
	maxToken    = 16384 // characters; the API's own limit
)

// authenticate finds out who asks, or refuses. It says no more than that: a
// missing, an unknown and a malformed token are answered alike.
func (h *handler) authenticate(c *call) error {
	tokens := c.Header.Values(headerToken)
	if len(tokens) != 1 || tokens[0] == "" || len(tokens[0]) > maxToken {
		return unauthenticated()
	}
	project, name, ok, err := h.Tokens.CheckToken(c.Context(), tokens[0])
	if err != nil {
		return err
	}
	if !ok {
		return unauthenticated()
	}
	c.project, c.caller = project, name
	return nil
}

func unauthenticated() *Error {
	return refuse(http.StatusUnauthorized, CodeUnauthenticated, "authentication fails or is not provided: send a valid token in X-Auth-Token")
}
