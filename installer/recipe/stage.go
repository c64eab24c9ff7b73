package recipe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

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
	if w.kind == script {
		return w.send(ctx, w.scriptFiles(), rec)
	}
	return w.send(ctx, []installer.BlobRef{*w.pkg}, rec)
}

func (w *work) send(ctx context.Context, files []installer.BlobRef, rec *installer.StepRecord) error {
	var bytes int64
	for _, ref := range files {
		if w.found.have[ref.SHA256] || slices.Contains(w.sent, ref.SHA256) {
			continue
		}
		if err := w.upload(ctx, ref); err != nil {
			return err
		}
		bytes += ref.Size
	}
	word := func(n int) string {
		if n == 1 {
			return "1 file"
		}
		return fmt.Sprintf("%d files", n)
	}
	if len(w.sent) == 0 {
		rec.Note = word(len(files)) + " already there, nothing sent"
	} else {
		rec.Note = word(len(w.sent)) + " sent, " + size(bytes) + " by " + w.conn.UploadedBy()
	}
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
	w.sent = append(w.sent, ref.SHA256)
	return nil
}

// from is the folder for uploads: that of a user who needs sudo, from which root copies, or the final one.
func (w *work) from() string {
	return cmp.Or(w.host.Folder, w.found.root+"/files")
}
