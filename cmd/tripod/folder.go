package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"tripod/installer/api"
	"tripod/installer/control"
	"tripod/installer/local"
	"tripod/store"
)

// folder leads to whoever has the state folder: another process, by its socket, or,
// where nobody has it, this one. A process that has ended meanwhile is replaced: by
// the next one that has taken the folder, or by this one.
type folder struct {
	app *app
	cfg holderConfig
	// isDaemons: a daemon had the folder, and will have it again. Nil: not known yet.
	isDaemons func() bool

	mu     sync.Mutex
	own    *holder // nil: another process has it, or nobody yet
	closed bool
}

const (
	// folderWait is how long a process may take that comes to have the folder, or
	// leaves it.
	folderWait = 2 * time.Second
	folderPoll = 50 * time.Millisecond
	// takeOverPatience is how long one is waited for that does not answer any more
	// and keeps the folder.
	takeOverPatience = time.Minute
)

// client is of whoever does what the commands ask: the daemon of --server, else who
// has the state folder. Close it.
func (a *app) client(ctx context.Context, cfg holderConfig) (*control.Client, error) {
	if a.daemon != nil {
		return a.daemon, nil
	}
	f := &folder{app: a, cfg: cfg}
	first, err := f.dial(ctx)
	if err != nil {
		return nil, err
	}
	_ = first.Close()
	client, err := control.Local(ctx, &api.Client{BaseURL: "http://tripod", HTTP: &http.Client{Transport: &http.Transport{
		DialContext:        func(ctx context.Context, _, _ string) (net.Conn, error) { return f.dial(ctx) },
		DisableCompression: true,
	}}}, a.project, f.close)
	if err != nil {
		return nil, err
	}
	patience := takeOverPatience
	if client.Daemon() {
		patience = a.server.ServerWait
	}
	client.Patience(patience)
	f.mu.Lock()
	f.isDaemons = client.Daemon
	f.mu.Unlock()
	return client, nil
}

// look is for commands that change nothing.
func (a *app) look(ctx context.Context, fn func(*control.Client) error) error {
	return a.with(ctx, holderConfig{readOnly: true}, fn)
}

// change is for commands that change what is known, and nothing on hosts.
func (a *app) change(ctx context.Context, fn func(*control.Client) error) error {
	return a.with(ctx, holderConfig{}, fn)
}

func (a *app) with(ctx context.Context, cfg holderConfig, fn func(*control.Client) error) error {
	client, err := a.client(ctx, cfg)
	if err != nil {
		return err
	}
	return errors.Join(fn(client), client.Close())
}

// dial connects to who has the folder, which is this process if nobody else has it.
func (f *folder) dial(ctx context.Context) (net.Conn, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for until := time.Now().Add(folderWait); ; {
		conn, err := f.tryDial(ctx)
		if !errors.Is(err, store.ErrLocked) || time.Now().After(until) {
			return conn, err
		}
		select {
		case <-time.After(folderPoll):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func (f *folder) tryDial(ctx context.Context) (net.Conn, error) {
	switch {
	case f.closed:
		return nil, net.ErrClosed
	case f.own != nil:
		return f.own.server.pipe.Dial(ctx)
	}
	conn, err := local.Dial(ctx, f.app.stateDir)
	if err == nil || errors.Is(err, local.ErrStranger) || f.isDaemons != nil && f.isDaemons() {
		return conn, err
	}
	if !local.Nobody(err) {
		f.app.log.Debug("no socket in the state folder", "error", err)
	}
	own, err := f.app.hold(f.cfg)
	if err != nil {
		return nil, err
	}
	f.own = own
	if len(f.app.handed.acknowledged) > 0 {
		f.app.notef("the process that had the state folder has ended: this one goes on with it")
	}
	return own.server.pipe.Dial(ctx)
}

// close leaves the folder, if this process has it.
func (f *folder) close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	if f.own == nil {
		return nil
	}
	return f.own.close()
}
