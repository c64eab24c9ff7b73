package api

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"tripod/installer"
	"tripod/installer/signing"
)

// Client speaks the API. It is safe for many goroutines.
type Client struct {
	// BaseURL is the daemon's root: "https://jump.example:8440".
	BaseURL string
	Project string
	Token   installer.Secret
	// AccessKey and SecretKey sign the requests, in place of a token.
	AccessKey string
	SecretKey installer.Secret
	// HTTP does the requests. Nil: a client with the usual transport. Redirects
	// are never followed: a token is for one server only.
	HTTP *http.Client
}

// maxAnswer bounds what the client reads, in bytes.
const maxAnswer = 64 << 20

// Ask is a request to a route of the API, or to one that another package added.
type Ask struct {
	Method string
	Path   string // escaped, with the query
	Body   []byte // of a POST or PUT
	// IdempotencyKey, if not empty, is sent as the header of that name.
	IdempotencyKey string
}

// Do asks and decodes the answer. The error is an *Error where the daemon
// answered.
func (c *Client) Do(ctx context.Context, a Ask, answer any) error {
	stream, err := c.Open(ctx, a)
	if err != nil {
		return err
	}
	defer func() { _ = stream.Close() }()
	raw, err := io.ReadAll(io.LimitReader(stream, maxAnswer+1))
	switch {
	case err != nil:
		return fmt.Errorf("read the daemon's answer: %w", err)
	case len(raw) > maxAnswer:
		return fmt.Errorf("the daemon's answer is longer than %d MiB", maxAnswer>>20)
	}
	if err := json.Unmarshal(raw, answer); err != nil {
		return fmt.Errorf("the daemon's answer is not what the API defines: %w", err)
	}
	return nil
}

// Open asks and returns the answer as it comes. Close it.
func (c *Client) Open(ctx context.Context, a Ask) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, a.Method, strings.TrimSuffix(c.BaseURL, "/")+a.Path, bytes.NewReader(a.Body))
	if err != nil {
		return nil, fmt.Errorf("the daemon's address: %w", err)
	}
	if a.Method == http.MethodPost || a.Method == http.MethodPut {
		req.Header.Set("Content-Type", "application/json; charset=UTF-8")
	}
	if a.IdempotencyKey != "" {
		req.Header.Set(headerIdempotencyKey, a.IdempotencyKey)
	}
	if err := c.authenticate(req, a.Body); err != nil {
		return nil, err
	}
	resp, err := c.http().Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the daemon: %w", err)
	}
	if resp.StatusCode/100 == 2 {
		return resp.Body, nil
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("read the daemon's answer: %w", err)
	}
	return nil, answeredError(resp, raw)
}

// authenticate says who we are: with a token, or with a signature. No two
// signatures are the same, so that a request that was lost can be made again.
func (c *Client) authenticate(req *http.Request, body []byte) error {
	if c.AccessKey != "" {
		req.Header.Set(headerNonce, rand.Text())
		return signing.Sign(req, c.AccessKey, c.SecretKey, signing.Hash(body), time.Now())
	}
	if !c.Token.IsZero() {
		req.Header.Set(headerToken, c.Token.Reveal())
	}
	return nil
}

const headerNonce = "X-Request-Nonce"

func (c *Client) http() *http.Client {
	hc := http.Client{}
	if c.HTTP != nil {
		hc = *c.HTTP
	}
	hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &hc
}

// answeredError makes the error of an answer, also of one from a proxy on the
// way that does not speak the API.
func answeredError(resp *http.Response, raw []byte) error {
	e := &Error{Status: resp.StatusCode, RequestID: resp.Header.Get(headerRequestID)}
	a := errorAnswer{Error: e}
	if json.Unmarshal(raw, &a) != nil || e.Code == "" {
		e.Code, e.Msg = "none", "the answer is not one of Tripod's: "+resp.Status
	}
	if e.Faults = a.Faults; a.Cause != nil {
		e.cause = a.Cause
	}
	if seconds, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && seconds > 0 {
		e.RetryAfter = time.Duration(seconds) * time.Second
	}
	return e
}
