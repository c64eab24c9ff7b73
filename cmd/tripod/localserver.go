package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"tripod/installer/api"
	"tripod/installer/local"
)

// localServer serves the control operations to the user of this machine: on the folder's
// socket, and in memory to this process.
type localServer struct {
	pipe *local.Pipe
	http *http.Server
	ends sync.WaitGroup
}

// localGrace is for the requests that are under way when the process ends.
const localGrace = 2 * time.Second

type userKey struct{}

// serveLocal begins to serve. Where no socket can be made, only this process is
// served. atEnd is called at the end, before what is under way is waited for.
func (e *localEngine) serveLocal(routes []api.Route, atEnd func()) *localServer {
	log := slog.New(onlyFaults{e.app.log.Handler()})
	s := &localServer{
		pipe: local.NewPipe(),
		http: &http.Server{
			Handler: api.NewLocal(api.LocalConfig{
				Routes: routes, Logger: log,
				Who: func(r *http.Request) string { return r.Context().Value(userKey{}).(string) },
			}),
			ConnContext: func(ctx context.Context, conn net.Conn) context.Context {
				name := callerName(os.Getenv)
				if other, is := conn.(local.Conn); is {
					name = userName(int(other.UID))
				}
				return context.WithValue(ctx, userKey{}, name)
			},
			ReadHeaderTimeout: 10 * time.Second,
			ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		},
	}
	s.http.RegisterOnShutdown(atEnd)
	s.ends.Go(func() { _ = s.http.Serve(s.pipe) })
	if e.cfg.readOnly {
		return s
	}
	socket, err := local.Listen(e.store.Dir())
	if err != nil {
		e.app.log.Debug("other commands cannot work on this state folder meanwhile", "error", err)
		return s
	}
	s.ends.Go(func() { _ = s.http.Serve(socket) })
	return s
}

// close removes the socket, lets the requests under way finish, and waits.
func (s *localServer) close() error {
	grace, cancel := context.WithTimeout(context.Background(), localGrace)
	defer cancel()
	err := s.http.Shutdown(grace)
	if errors.Is(err, context.DeadlineExceeded) {
		err = s.http.Close()
	}
	s.ends.Wait()
	return err
}

// onlyFaults leaves out what is logged of each request: the command that asks tells
// its user.
type onlyFaults struct{ slog.Handler }

func (h onlyFaults) Handle(ctx context.Context, r slog.Record) error {
	if r.Message == "request" {
		return nil
	}
	return h.Handler.Handle(ctx, r)
}
