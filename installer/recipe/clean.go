package recipe

import (
	"context"

	"tripod/installer"
	"tripod/installer/recipe/hostshell"
)

// clean removes the run folder. The result is in the journal by now, and a
// failure here does not change it: it is noted.
func (w *work) clean(ctx context.Context, rec *installer.StepRecord) error {
	if interrupted(ctx) {
		rec.Note = "not removed: tripod is shutting down"
		return nil
	}
	var r reply
	err := limited(ctx, w.Limits.Clean, "removing the run folder", func(ctx context.Context) (err error) {
		r, err = w.askRun(ctx, nil, hostshell.CleanFiles, "clean", "dir="+w.host.Folder)
		return err
	})
	switch {
	case err != nil:
		rec.Note = "run folder not removed: " + w.shown(installer.FailureOf(err).Detail, maxShown)
	case r.end == nil || r.end.Get("cleaned") != "yes":
		rec.Note = "run folder not removed" + w.quoted(r.Stderr)
	default:
		rec.Note = "run folder removed"
	}
	return nil
}

// leave removes what the failed probe of a user who needs sudo left on the host.
func (w *work) leave(ctx context.Context) {
	if w.host.Folder == "" {
		return
	}
	inner, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.Limits.Clean)
	defer cancel()
	if err := w.host.Leave(inner); err != nil {
		w.Logger.Info("folder not removed", "invocation", w.inv.ID, "folder", w.host.Folder, "error", err)
	}
}
