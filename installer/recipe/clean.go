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
	purge := w.kind == remove && w.inv.Spec.Purge && (w.proved || w.before.proved)
	var r reply
	err := limited(ctx, w.Limits.Clean, "removing the run folder", func(ctx context.Context) (err error) {
		args := []string{"dir=" + w.host.Folder}
		if purge {
			args = append(args, "purge="+w.target())
		}
		r, err = w.askRun(ctx, nil, hostshell.CleanFiles, "clean", args...)
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
	if purge {
		rec.Found.Message = w.outcome.Message + "; " + w.purged(err, r)
	}
	return nil
}

// purged says what is left of Tripod on the host.
func (w *work) purged(err error, r reply) string {
	switch {
	case err != nil || r.end == nil:
		return "whether kept versions and sent files are left is not known"
	case r.end.Get("left") != "":
		return "kept versions are removed; other files of Tripod are left in " + w.shown(r.end.Get("left"), 300)
	}
	return "kept versions and sent files are removed"
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
