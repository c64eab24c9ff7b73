package recipe

import (
	"cmp"
	"context"
	"fmt"
	"slices"
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

const (
	firstPause = time.Second
	maxPause   = 15 * time.Second
)

// final are failures to connect that a retry only makes worse.
var final = []installer.Kind{
	installer.KindAuthRejected, installer.KindLoginHeldBack, installer.KindPasswordExpired, installer.KindHostKeyChanged,
	installer.KindHostKeyUnknown, installer.KindPolicyDenied, installer.KindCredentialMissing,
	installer.KindSudoDenied,
}

// reconnect dials again after a lost connection, and probes the state of the run.
// It tries for Limits.Reconnect, with growing pauses.
func (w *work) reconnect(ctx context.Context, lost error) error {
	w.Logger.Info("connection lost, reconnecting", "invocation", w.inv.ID, "host", w.inv.Host.Label(), "error", lost)
	began := time.Now()
	inner, cancel := context.WithTimeout(ctx, w.Limits.Reconnect)
	defer cancel()
	w.close()
	for pause := w.firstPause; ; pause = min(pause*2, maxPause) {
		select {
		case <-inner.Done():
		case <-time.After(pause):
		}
		switch {
		case ctx.Err() != nil:
			return ended(ctx)
		case inner.Err() != nil:
			return w.lost(lost, time.Since(began))
		}
		if lost = w.redial(inner); lost == nil {
			return nil
		}
		if ctx.Err() == nil && slices.Contains(final, installer.FailureOf(lost).Kind) {
			return w.lost(lost, time.Since(began))
		}
	}
}

func (w *work) lost(last error, after time.Duration) error {
	const what = "the connection broke and could not be restored"
	if last == nil {
		return installer.Fail(installer.KindLostContact, what)
	}
	why := installer.FailureOf(last)
	return installer.Fail(installer.KindLostContact, what+" in %s: %s: %s", after.Round(time.Second), why.Kind, why.Detail)
}

func (w *work) redial(ctx context.Context) error {
	if err := w.dial(ctx); err != nil {
		return err
	}
	w.before.root = cmp.Or(w.before.root, w.found.root)
	if err := w.inspect(ctx); err != nil {
		return err
	}
	return w.usable()
}
