package recipe

import (
	"context"
	"fmt"
	"time"

	"tripod/installer"
	"tripod/installer/recipe/hostshell"
)

// connect dials. The one connection serves all that follows.
func (w *work) connect(ctx context.Context, rec *installer.StepRecord) error {
	began := time.Now()
	conn, err := w.Dialer.Dial(ctx, w.inv.ProjectID, w.inv.Host, w.job.Credentials, w.inv.Spec.HostKeys)
	if err != nil {
		if ctx.Err() != nil {
			return ended(ctx)
		}
		return err
	}
	w.use(conn)
	rec.Note = fmt.Sprintf("logged in as %s%s in %d ms", w.inv.Host.User, w.jumpHosts(conn), time.Since(began).Milliseconds())
	return nil
}

// use replaces the connection by conn.
func (w *work) use(conn Conn) {
	w.close()
	if w.host != nil && w.host.Folder != "" {
		w.oldFolder = w.host.Folder
	}
	w.conn = conn
	password := w.job.Credentials.SudoPassword
	if password.IsZero() {
		password = w.job.Credentials.Password
	}
	w.host = &hostShell{hostshell.New(conn, password, w.settings())}
}

// jumpHosts names the jump hosts that conn goes through, if it knows them.
func (w *work) jumpHosts(conn Conn) string {
	hops := w.inv.Host.Via
	if c, ok := conn.(interface{ JumpHosts() []installer.Endpoint }); ok {
		hops = c.JumpHosts()
	}
	text := ""
	for _, hop := range hops {
		text += " via " + hop.HostPort()
	}
	return text
}

// limited runs do within a step's own limit. Where the limit ended it, the
// failure says so, whatever the connection made of it.
func limited(ctx context.Context, limit time.Duration, what string, do func(context.Context) error) error {
	inner, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err := do(inner)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ended(ctx)
	case inner.Err() != nil:
		return installer.Fail(installer.KindStepTimeout, "%s took longer than %s", what, limit)
	}
	return err
}
