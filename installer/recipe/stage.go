package recipe

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"tripod/installer"
)

// stage uploads what the host does not have yet, under temporary names. The
// host checks and renames it before it starts anything.
func (w *work) stage(ctx context.Context, rec *installer.StepRecord) error {
	act, err := w.decide()
	if err != nil {
		return err
	}
	if act == attach {
		rec.Note = "nothing to send: the run is there already"
		return nil
	}
	w.markLog(rec)
	switch w.kind {
	case restore:
		rec.Note = "nothing to send: the version is kept on the host"
		return w.chooseKept()
	case remove:
		rec.Note = "nothing to send"
		return nil
	case configure:
		rec.Note = "nothing to send: only the configuration changes"
		return nil
	case online:
		rec.Note = "nothing to send: the host downloads the agent from " + w.inv.Spec.Online.URL
		return nil
	}
	ref := w.pkg
	if w.kind == script {
		ref = w.inv.Spec.Script
	}
	if w.found.have[ref.SHA256] {
		rec.Note = "1 file already there, nothing sent"
		return nil
	}
	if err := w.upload(ctx, *ref); err != nil {
		return err
	}
	rec.Note = "1 file sent, " + size(ref.Size) + " by " + w.conn.UploadedBy()
	return nil
}

func (w *work) upload(ctx context.Context, ref installer.BlobRef) error {
	blob, err := w.Blobs.OpenBlob(ref)
	if errors.Is(err, installer.ErrNotFound) {
		return installer.Fail(installer.KindPackageMissing, "the file %s is no longer kept here", w.shown(ref.Name, 100))
	}
	if err != nil {
		return fmt.Errorf("open the file to send: %w", err)
	}
	path := fmt.Sprintf("%s/.%s.%s.tmp", w.from(), ref.SHA256, w.host.Tag())
	if err := w.conn.Upload(ctx, blob, path); err != nil {
		if ctx.Err() != nil {
			return ended(ctx)
		}
		f := *installer.FailureOf(err)
		if f.Kind == installer.KindLostContact {
			// Known well enough: nothing was started.
			f.Kind, f.Detail = installer.KindUploadFailed, "the connection broke during the upload: "+f.Detail
		}
		return &f
	}
	w.sent = ref.SHA256
	return nil
}

// from is the folder for uploads: that of a user who needs sudo, from which root copies, or the final one.
func (w *work) from() string {
	return cmp.Or(w.host.Folder, w.found.root+"/files")
}
