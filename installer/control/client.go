package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"tripod/installer"
	"tripod/installer/api"
	"tripod/installer/plan"
)

// Client works on a daemon as the store does on a state folder: its methods
// have the store's names, arguments and errors. The project that they are given
// has to be the client's own. It is safe for many goroutines.
type Client struct {
	api       *api.Client
	principal welcome
	patience  time.Duration // see Patience
	// daemon: who answers works on everything by himself.
	daemon atomic.Bool
	close  func() error // nil: nothing else is to be closed

	mu    sync.Mutex
	fresh map[string]bool // batches that this client submitted
}

// Connect finds out who the daemon takes the client for. c's Project is filled in.
func Connect(ctx context.Context, c *api.Client) (*Client, error) {
	client := &Client{api: c, patience: DefaultPatience, fresh: map[string]bool{}}
	if err := c.Do(ctx, api.Ask{Method: http.MethodGet, Path: "/tripod/v1/principal"}, &client.principal); err != nil {
		return nil, err
	}
	c.Project = client.principal.Project
	client.daemon.Store(client.principal.Daemon)
	return client, nil
}

// Local is the client of whoever has a state folder, for any project. The connections
// of c lead there; shut is called when the client is closed.
func Local(ctx context.Context, c *api.Client, project string, shut func() error) (*Client, error) {
	client, err := Connect(ctx, c)
	if err != nil {
		return nil, errors.Join(asUnanswered(err), shut())
	}
	c.Project, client.principal.Project, client.close = project, project, shut
	return client, nil
}

// Daemon reports whether who answers works on everything by himself.
func (c *Client) Daemon() bool { return c.daemon.Load() }

// KnownHosts are the known_hosts files that are read by a process that is no daemon,
// where they are not the usual ones.
func (c *Client) KnownHosts() []string { return c.principal.KnownHosts }

// Project is the one that the login is for.
func (c *Client) Project() string { return c.principal.Project }

// Close lets go of the connections.
func (c *Client) Close() error {
	if c.api.HTTP != nil {
		c.api.HTTP.CloseIdleConnections()
	}
	if c.close != nil {
		return c.close()
	}
	return nil
}

// path makes one of this project: path("batches", id).
func (c *Client) path(parts ...string) string {
	p := "/tripod/v1/" + url.PathEscape(c.principal.Project)
	for _, part := range parts {
		p += "/" + url.PathEscape(part)
	}
	return p
}

// requestLimit bounds one request with its answer.
const requestLimit = 5 * time.Minute

// pauses between tries of a request that was lost on the way. Every request of
// this client can be made twice.
var pauses = []time.Duration{200 * time.Millisecond, time.Second, 3 * time.Second}

// ask makes a request, again where that may help. what and id are for the error
// where the daemon has no such thing.
func (c *Client) ask(ctx context.Context, a api.Ask, answer any, what, id string) error {
	began := time.Now()
	for try := 0; ; try++ {
		err := c.once(ctx, a, answer)
		if err == nil || try == len(pauses) || !Lost(err) || ctx.Err() != nil {
			return plainError(err, what, id)
		}
		wait := max(pauses[try], retryAfter(err))
		if time.Since(began)+wait > c.patience {
			return plainError(err, what, id)
		}
		if err := pause(ctx, wait); err != nil {
			return err
		}
	}
}

func (c *Client) once(ctx context.Context, a api.Ask, answer any) error {
	limited, cancel := context.WithTimeout(ctx, requestLimit)
	defer cancel()
	return c.api.Do(limited, a, answer)
}

func (c *Client) get(ctx context.Context, path string, answer any, what, id string) error {
	return c.ask(ctx, api.Ask{Method: http.MethodGet, Path: path, Most: 64 << 20}, answer, what, id)
}

func (c *Client) post(ctx context.Context, path string, body, answer any, what, id string) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("encode the request: %w", err)
	}
	return c.ask(ctx, api.Ask{Method: http.MethodPost, Path: path, Body: raw}, answer, what, id)
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Lost reports whether an error is one of the way to the daemon, or of a daemon
// that cannot answer just now.
func Lost(err error) bool {
	e, answered := errors.AsType[*api.Error](err)
	if !answered {
		return err != nil && !errors.Is(err, context.Canceled)
	}
	switch e.Status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

func retryAfter(err error) time.Duration {
	if e, ok := errors.AsType[*api.Error](err); ok {
		return min(e.RetryAfter, time.Minute)
	}
	return 0
}

// plainError turns the daemon's answers into the errors that a store has.
func plainError(err error, what, id string) error {
	e, answered := errors.AsType[*api.Error](err)
	if !answered {
		return asUnanswered(err)
	}
	switch {
	case e.Code == CodeCredentialMissing:
		return &plan.MissingCredentials{Faults: e.Faults}
	case e.Status == http.StatusNotFound && e.Code == api.CodeNotFound && what != "":
		return fmt.Errorf("%s %q: %w", what, id, installer.ErrNotFound)
	case e.Code == CodeInUse:
		return &remoteError{e.Msg, installer.ErrInUse}
	case e.Code == CodeExists:
		return &remoteError{e.Msg, installer.ErrExists}
	case len(e.Faults) > 0:
		return e.Faults
	case e.Code == api.CodeStorage:
		return &storageError{answer: e}
	case e.Cause() != nil:
		return e.Cause()
	case e.Status == http.StatusBadRequest:
		return &remoteError{e.Msg, e}
	}
	return asUnanswered(err)
}

// remoteError has the daemon's words and our kind of error.
type remoteError struct {
	msg  string
	kind error
}

func (e *remoteError) Error() string { return e.msg }
func (e *remoteError) Unwrap() error { return e.kind }

// storageError is installer.ErrStorage, with what it comes of where that is told.
type storageError struct{ answer *api.Error }

func (e *storageError) Error() string {
	if cause := e.answer.Cause(); cause != nil {
		return cause.Error()
	}
	return installer.ErrStorage.Error() + ": the daemon: " + e.answer.Error()
}

func (e *storageError) Unwrap() []error { return []error{installer.ErrStorage, e.answer} }

// change makes a request about a project, which has to be the client's own;
// empty: it is. in is nil where there is no body.
func (c *Client) change(ctx context.Context, project, method, path string, in, answer any, what, id string) error {
	if project != "" {
		if err := c.own(project); err != nil {
			return err
		}
	}
	if in != nil {
		return c.post(ctx, path, in, answer, what, id)
	}
	return c.ask(ctx, api.Ask{Method: method, Path: path, Most: 64 << 20}, answer, what, id)
}

// own checks that a method was asked about the client's own project.
func (c *Client) own(project string) error {
	if project != c.principal.Project {
		return installer.Faults{{Where: "project", What: fmt.Sprintf("this login is for project %q, not for %q", c.principal.Project, project)}}
	}
	return nil
}

// Batches is installer.Ledger's.
func (c *Client) Batches(ctx context.Context, project string, n int) ([]installer.BatchHead, error) {
	if err := c.own(project); err != nil {
		return nil, err
	}
	var list heads
	err := c.get(ctx, c.path("batches")+"?limit="+strconv.Itoa(min(max(1, n), 1000)), &list, "", "")
	return list.Batches, err
}

// Batch is installer.Ledger's.
func (c *Client) Batch(ctx context.Context, project, id string) (head installer.BatchHead, err error) {
	if err := c.own(project); err != nil {
		return head, err
	}
	err = c.get(ctx, c.path("batches", id), &head, "batch", id)
	return head, err
}

// Invocation is installer.Ledger's.
func (c *Client) Invocation(ctx context.Context, project, id string) (inv installer.Invocation, err error) {
	if err := c.own(project); err != nil {
		return inv, err
	}
	err = c.get(ctx, c.path("invocations", id), &inv, "invocation", id)
	return inv, err
}

// Invocations is installer.Ledger's, for a batch, a host or an invocation. A
// long list is read page by page; its items may have moved on.
func (c *Client) Invocations(ctx context.Context, f installer.Filter) (installer.Page, error) {
	all := installer.Page{Invocations: []installer.Invocation{}}
	if err := c.own(f.ProjectID); err != nil {
		return all, err
	}
	q := url.Values{}
	for name, v := range map[string]string{"batch_id": f.BatchID, "invocation_id": f.InvocationID, "instance_id": f.InstanceID} {
		if v != "" {
			q.Set(name, v)
		}
	}
	seen := map[string]bool{}
	for offset := f.Offset; ; {
		limit := pageSize
		if f.Limit > 0 {
			limit = min(limit, f.Limit-len(all.Invocations))
		}
		q.Set("offset", strconv.FormatInt(offset, 10))
		q.Set("limit", strconv.Itoa(limit))
		var p page
		if err := c.get(ctx, c.path("invocations")+"?"+q.Encode(), &p, "", ""); err != nil {
			return installer.Page{}, err
		}
		all.Count = p.Count
		offset += int64(len(p.Invocations))
		for _, inv := range p.Invocations {
			if !seen[inv.ID] { // a newer one moves the others to the next page
				seen[inv.ID] = true
				all.Invocations = append(all.Invocations, inv)
			}
		}
		if len(p.Invocations) == 0 || offset >= p.Count || f.Limit > 0 && len(all.Invocations) >= f.Limit {
			return all, nil
		}
	}
}

// Log is installer.Ledger's. It is read as it comes.
func (c *Client) Log(ctx context.Context, project, id string) (io.ReadCloser, error) {
	if err := c.own(project); err != nil {
		return nil, err
	}
	log, err := c.api.Open(ctx, api.Ask{Method: http.MethodGet, Path: c.path("invocations", id, "log")})
	if err != nil {
		return nil, plainError(err, "invocation", id)
	}
	return answerStream{log}, nil
}
