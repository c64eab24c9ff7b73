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
		var args []string
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
		rec.Note = "run folder not removed" + w.quoted(w.host.LastWords())
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
