package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"tripod/cmd/tripod/internal/exit"
	"tripod/installer"
	"tripod/installer/api"
	"tripod/installer/control"
	"tripod/installer/local"
	"tripod/installer/plan"
	"tripod/store"
)

// folder leads to whoever has the state folder: another process, by its socket, or,
// where nobody has it, this one. A process that has ended meanwhile is replaced: by
// the next one that has taken the folder, or by this one.
type folder struct {
	session *Session
	cfg     StateConfig
	// isDaemons: a daemon had the folder, and will have it again. Nil: not known yet.
	isDaemons func() bool
	closing   chan struct{}

	mu    sync.Mutex
	pipe  *local.Pipe  // to this process, if it has the folder
	leave func() error // it then
}

const (
	// ServeWait is how long the daemon waits for who has the folder.
	ServeWait = 2 * time.Second
	// folderWait is for a process that is just opening the folder, or leaving it.
	folderWait = 10 * time.Second
	folderPoll = 50 * time.Millisecond
	// takeOverPatience is for a process that does not answer any more and keeps the folder.
	takeOverPatience = time.Minute
)

// greetingLimit is how long a process may take to answer that has the folder.
var greetingLimit = 10 * time.Second

// client is of whoever does what the commands ask. Close it.
func (s *Session) client(ctx context.Context, cfg StateConfig) (*control.Client, error) {
	if s.daemon != nil {
		return s.daemon, nil
	}
	f := &folder{session: s, cfg: cfg, closing: make(chan struct{})}
	first, err := f.dial(ctx)
	if err != nil {
		return nil, err
	}
	_ = first.Close()
	limited, cancel := context.WithTimeout(ctx, greetingLimit)
	defer cancel()
	client, err := control.Local(limited, &api.Client{BaseURL: "http://tripod", HTTP: &http.Client{Transport: &http.Transport{
		DialContext:        func(ctx context.Context, _, _ string) (net.Conn, error) { return f.dial(ctx) },
		DisableCompression: true,
	}}}, s.Project, f.close)
	switch {
	case err != nil && ctx.Err() == nil && limited.Err() != nil:
		return nil, &exit.Error{Code: exit.Internal, Err: fmt.Errorf("%w, and does not answer", store.LockedBy(s.Flags.StateDir)),
			Hint: "see whether that process is stopped or hangs; end it, or use another --state-dir"}
	case err != nil:
		return nil, err
	}
	client.Patience = takeOverPatience
	if client.Daemon() {
		client.Patience = s.Flags.ServerWait
	}
	f.mu.Lock()
	f.isDaemons = client.Daemon
	f.mu.Unlock()
	return client, nil
}

// Read is for commands that change nothing. Its answer is printed when the folder is
// free again: the output may be read slowly.
func Read[T any](ctx context.Context, s *Session, get func(*control.Client) (T, error)) (answer T, err error) {
	err = s.with(ctx, StateConfig{readOnly: true}, func(c *control.Client) (err error) {
		answer, err = get(c)
		return err
	})
	return answer, err
}

// Ask is Read for one operation.
func Ask[In, Out any](ctx context.Context, s *Session, op control.Operation[In, Out], in In) (Out, error) {
	return Read(ctx, s, func(c *control.Client) (Out, error) { return op.Call(ctx, c, in) })
}

// Change is for commands that change what is stored, and nothing on hosts.
func (s *Session) Change(ctx context.Context, fn func(*control.Client) error) error {
	return s.with(ctx, StateConfig{}, fn)
}

func (s *Session) with(ctx context.Context, cfg StateConfig, fn func(*control.Client) error) error {
	client, err := s.client(ctx, cfg)
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
		case <-f.closing:
		}
	}
}

func (f *folder) tryDial(ctx context.Context) (net.Conn, error) {
	select {
	case <-f.closing:
		return nil, net.ErrClosed
	default:
	}
	if f.pipe != nil {
		return f.pipe.Dial(ctx)
	}
	s := f.session
	conn, err := local.Dial(ctx, s.Flags.StateDir)
	if err == nil || errors.Is(err, local.ErrOtherUser) || f.isDaemons != nil && f.isDaemons() {
		return conn, err
	}
	if !local.NotListening(err) {
		s.Log.Debug("no socket in the state folder", "error", err)
	}
	if err := f.hold(); err != nil {
		return nil, err
	}
	if s.acknowledged != "" {
		s.Notef("the process that used the state folder has ended: this one continues its work")
	}
	return f.pipe.Dial(ctx)
}

func (f *folder) close() error {
	close(f.closing)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.pipe == nil {
		return nil
	}
	return f.leave()
}

// hold makes this process the one that has the folder, for one command: it works on what
// is followed, and does so for the commands of other processes too.
func (f *folder) hold() error {
	s, cfg := f.session, f.cfg
	if cfg.KnownHosts == nil {
		cfg.KnownHosts = DefaultKnownHosts()
	}
	state, err := s.OpenState(cfg, time.Millisecond) // dial waits
	if err != nil {
		return err
	}
	hub := control.NewHub()
	most, _ := boundParallel(math.MaxInt, descriptorLimit())
	runs := control.NewOnDemand(control.OnDemandConfig{Store: state.Store, Dispatcher: state.Dispatcher, Watch: hub.Watch, MostParallel: most})
	config := control.Config{
		Store: state.Store, Hub: hub, Engine: runs,
		Planner: plan.NewPlanner(plan.Planner{Store: state.Store, HostKeys: installer.Insecure}), Version: s.Version,
	}
	if !slices.Equal(cfg.KnownHosts, DefaultKnownHosts()) {
		config.KnownHosts = cfg.KnownHosts
	}
	config.Limits = cfg.Limits.String()
	server := state.ServeLocal(control.Routes(config))
	f.pipe, f.leave = server.pipe, func() error {
		runs.Close() // who still follows its work takes the folder over
		hub.Close()  // or it would be waited for
		return errors.Join(server.Close(), state.Close())
	}
	return nil
}

// LocalServer serves the control routes to the user of this machine: on the folder's
// socket, and in memory to this process.
type LocalServer struct {
	pipe      *local.Pipe
	listeners []net.Listener // the pipe, and perhaps the socket
	http      *http.Server
	accepting sync.WaitGroup
	conns     sync.WaitGroup
}

// localGrace is less than folderWait: others wait meanwhile.
const localGrace = 5 * time.Second

type userKey struct{}

// ServeLocal begins to serve. Where no socket can be made, only this process is
// served.
func (st *State) ServeLocal(routes []api.Route) *LocalServer {
	log := st.session.Log
	var s *LocalServer
	s = &LocalServer{
		pipe: local.NewPipe(),
		http: &http.Server{
			Handler: api.NewLocal(routes, func(r *http.Request) string { return r.Context().Value(userKey{}).(string) }, log),
			ConnContext: func(ctx context.Context, conn net.Conn) context.Context {
				name := User()
				if other, is := conn.(local.Conn); is {
					name = userName(int(other.UID))
				}
				return context.WithValue(ctx, userKey{}, name)
			},
			ConnState: func(_ net.Conn, now http.ConnState) {
				switch now {
				case http.StateNew:
					s.conns.Add(1)
				case http.StateClosed:
					s.conns.Done()
				}
			},
			ReadHeaderTimeout: 10 * time.Second,
			ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		},
	}
	s.http.SetKeepAlivesEnabled(false) // nobody is to ask again on a connection that ends
	s.serve(s.pipe)
	if st.cfg.readOnly {
		return s
	}
	socket, err := local.Listen(st.Dir())
	if err != nil {
		st.session.Log.Debug("other commands cannot use this state folder meanwhile", "error", err)
		return s
	}
	s.serve(socket)
	return s
}

func (s *LocalServer) serve(ln net.Listener) {
	s.listeners = append(s.listeners, ln)
	s.accepting.Go(func() { _ = s.http.Serve(ln) })
}

// Close removes the socket, answers all who have come, and waits. http.Server's own
// Shutdown would drop the requests that it has not read yet.
func (s *LocalServer) Close() (err error) {
	for _, ln := range s.listeners {
		err = errors.Join(err, ln.Close())
	}
	s.accepting.Wait()
	answered := make(chan struct{})
	go func() {
		s.conns.Wait()
		close(answered)
	}()
	select {
	case <-answered:
	case <-time.After(localGrace):
	}
	return errors.Join(err, s.http.Close())
}
