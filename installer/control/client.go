package control

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"tripod/installer/api"
)

// Client asks for the operations of a daemon, or of another process that has a state
// folder. Their errors are those of the store. It is safe for many goroutines.
type Client struct {
	Project string // that the login is for
	// KnownHosts are the known_hosts files that are read by a process that is no daemon,
	// where they are not the usual ones.
	KnownHosts []string
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
	c.Project, c.api.Project, c.KnownHosts = answer.Project, answer.Project, answer.KnownHosts
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
