package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"tripod/installer"
	"tripod/installer/api"
	"tripod/installer/plan"
)

// Client asks for the operations of a daemon, or of another process that has a state
// folder. Their errors are those of the store. It is safe for many goroutines.
type Client struct {
	Project string // that the login is for
	// KnownHosts are the known_hosts files that are read by a process that is no daemon,
	// where they are not the usual ones.
	KnownHosts []string
	Limits     string // likewise, its time limits; see installer.Limits
	// Patience is how long a daemon that does not answer is waited for: by who follows a
	// batch all of it, by any other request some seconds of it. 0: not at all.
	Patience time.Duration

	api    *api.Client
	daemon atomic.Bool
	close  func() error // nil: nothing else is to be closed

	submitted sync.Map // ids of batches that are new, and this client's
}

// Connect finds out who the daemon takes the client for. c's Project is filled in.
func Connect(ctx context.Context, c *api.Client) (*Client, error) {
	client := &Client{api: c, Patience: DefaultPatience}
	return client, client.greet(ctx)
}

func (c *Client) greet(ctx context.Context) error {
	var answer welcome
	ask, err := whoAmI.ask(c, struct{}{})
	if err == nil {
		err = c.api.Do(ctx, ask, &answer)
	}
	c.Project, c.api.Project, c.KnownHosts, c.Limits = answer.Project, answer.Project, answer.KnownHosts, answer.Limits
	c.daemon.Store(answer.Daemon)
	return err
}

// Local is the client of whoever has a state folder, for any project. The connections
// of c lead there; shut is called when the client is closed.
func Local(ctx context.Context, c *api.Client, project string, shut func() error) (*Client, error) {
	client := &Client{api: c, Patience: DefaultPatience}
	err := client.untilAnswered(ctx, usualTries, func(error) {}, func(func()) error { return asUnanswered(client.greet(ctx)) })
	if err != nil {
		return nil, errors.Join(err, shut())
	}
	c.Project, client.Project, client.close = project, project, shut
	return client, nil
}

// Daemon reports whether who answers works on everything by himself.
func (c *Client) Daemon() bool { return c.daemon.Load() }

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

// Tries to reach the daemon, and pauses between two of them.
const (
	usualTries   = 4
	firstPause   = 200 * time.Millisecond
	longestPause = 5 * time.Second
)

// untilAnswered asks, at most so often (0: any number of times), until it is answered, the
// client's patience ends or ctx does. lost is called when the daemon cannot be reached, and
// with nil when it is again. ask may say that it is answered before it returns.
func (c *Client) untilAnswered(ctx context.Context, tries int, lost func(error), ask func(answered func()) error) error {
	var since time.Time // when it was first not answered
	var wait time.Duration
	answered := func() {
		if !since.IsZero() {
			since = time.Time{}
			lost(nil)
		}
	}
	for {
		err := ask(answered)
		after, may := mayRecover(err)
		if tries--; err == nil {
			answered()
		}
		if !may || ctx.Err() != nil || tries == 0 {
			return err
		}
		first := since.IsZero()
		if wait = min(4*wait, longestPause); first {
			since, wait = time.Now(), firstPause
		}
		after = max(after, wait)
		if time.Since(since)+after > c.Patience {
			return err
		}
		if first {
			lost(err)
		}
		select {
		case <-time.After(after):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Submit has a request planned and stored; on the daemon's disk when it returns.
// Faults where the daemon refuses it, MissingCredentials where it has no logins.
func (c *Client) Submit(ctx context.Context, r plan.Request) (Planned, error) {
	p, err := submitBatch.Call(ctx, c, r)
	if err == nil && p.Batch != nil && !p.Resumed {
		c.submitted.Store(r.BatchID, true)
	}
	return p, err
}

// Invocations are those of a batch, or only one of them, in the order of the hosts file.
func (c *Client) Invocations(ctx context.Context, batchID, only string) ([]installer.Invocation, error) {
	all, err := c.newestFirst(ctx, installer.Filter{BatchID: batchID, InvocationID: only})
	slices.Reverse(all)
	return all, err
}

// InvocationsOn are those on one host, newest first.
func (c *Client) InvocationsOn(ctx context.Context, instanceID string) ([]installer.Invocation, error) {
	return c.newestFirst(ctx, installer.Filter{InstanceID: instanceID})
}

func (c *Client) newestFirst(ctx context.Context, f installer.Filter) ([]installer.Invocation, error) {
	return allPages(func(offset int64) ([]installer.Invocation, int64, error) {
		f.Offset = offset
		page, err := listInvocations.Call(ctx, c, f)
		return page.Invocations, page.Count, err
	}, func(inv installer.Invocation) string { return inv.ID })
}

// Hosts returns those of the inventory with all of the labels.
func (c *Client) Hosts(ctx context.Context, labels map[string]string) ([]installer.KnownHost, error) {
	return allPages(func(offset int64) ([]installer.KnownHost, int64, error) {
		page, err := listHosts.Call(ctx, c, installer.HostFilter{Labels: labels, Offset: offset})
		return page.Hosts, page.Count, err
	}, func(h installer.KnownHost) string { return h.ID })
}

// allPages reads a list page by page. What has moved to the next page meanwhile is in it
// once.
func allPages[T any](read func(offset int64) ([]T, int64, error), id func(T) string) ([]T, error) {
	all := []T{}
	seen := map[string]bool{}
	for offset := int64(0); ; {
		page, count, err := read(offset)
		if err != nil {
			return nil, err
		}
		for _, one := range page {
			if !seen[id(one)] {
				seen[id(one)] = true
				all = append(all, one)
			}
		}
		if offset += int64(len(page)); len(page) == 0 || offset >= count {
			return all, nil
		}
	}
}

func (c *Client) Log(ctx context.Context, invocationID string) (io.ReadCloser, error) {
	return getLog.open(ctx, c, ID{invocationID})
}

// PutBlob sends a file of which ref has the hash and the size, in parts, as far
// as the daemon does not have it yet.
func (c *Client) PutBlob(ctx context.Context, r io.Reader, ref installer.BlobRef) error {
	part := filePart{SHA256: ref.SHA256, Size: ref.Size}
	buffer := make([]byte, partSize)
	for {
		state, err := addToFile.Call(ctx, c, part)
		if err != nil || state.Complete {
			return err
		}
		at := part.Offset + int64(len(part.Data))
		if state.Have < at {
			return fmt.Errorf("the daemon has lost what it had of %s: try again", ref.Name)
		}
		if _, err := io.CopyN(io.Discard, r, state.Have-at); err != nil {
			return fmt.Errorf("read %s: %w", ref.Name, err)
		}
		part.Offset = state.Have
		part.Data = buffer[:min(partSize, ref.Size-state.Have)]
		if _, err := io.ReadFull(r, part.Data); err != nil {
			return fmt.Errorf("read %s: %w", ref.Name, err)
		}
	}
}
