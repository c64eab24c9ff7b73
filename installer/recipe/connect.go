package recipe

import (
	"context"
	"fmt"
	"time"

	"tripod/installer"
)

func (w *work) connect(ctx context.Context, rec *installer.StepRecord) error {
	began := time.Now()
	if err := w.dial(ctx); err != nil {
		if ctx.Err() != nil {
			return ended(ctx)
		}
		return err
	}
	via := ""
	for _, hop := range w.conn.JumpHosts() {
		via += " via " + hop.HostPort()
	}
	rec.Note = fmt.Sprintf("logged in as %s%s in %d ms", w.inv.Host.User, via, time.Since(began).Milliseconds())
	return nil
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
