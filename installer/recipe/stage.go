package recipe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tripod/installer"
	"tripod/installer/recipe/hostshell"
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
	return w.send(ctx, w.files(), rec)
}

// files are what the work needs on the host.
func (w *work) files() []installer.BlobRef {
	if w.kind == script {
		return w.scriptFiles()
	}
	return []installer.BlobRef{*w.pkg}
}

func (w *work) send(ctx context.Context, files []installer.BlobRef, rec *installer.StepRecord) error {
	var bytes int64
	var ways []string
	w.small = nil
	for _, ref := range files {
		if w.found.have[ref.SHA256] || slices.Contains(w.sent, ref.SHA256) {
			continue
		}
		way, err := w.bring(ctx, ref)
		if err != nil {
			return err
		}
		if !slices.Contains(ways, way) {
			ways = append(ways, way)
		}
		bytes += ref.Size
	}
	word := func(n int) string {
		if n == 1 {
			return "1 file"
		}
		return fmt.Sprintf("%d files", n)
	}
	if len(ways) == 0 {
		rec.Note = word(len(files)) + " already there, nothing sent"
	} else {
		rec.Note = word(len(w.sent)+len(w.small)) + " sent, " + size(bytes) + " by " + strings.Join(ways, " and ")
	}
	return nil
}

const bySession = "session" // a small file goes to the host with the request to run

// bring says how the file goes there.
func (w *work) bring(ctx context.Context, ref installer.BlobRef) (string, error) {
	blob, err := w.Blobs.OpenBlob(ref)
	if errors.Is(err, installer.ErrNotFound) {
		return "", installer.Fail(installer.KindPackageMissing, "the file %s is no longer kept here", w.shown(ref.Name, 100))
	}
	if err != nil {
		return "", fmt.Errorf("open the file to send: %w", err)
	}
	if w.kind == script {
		file, err := w.smallFiles.read(blob)
		if err != nil {
			return "", err
		}
		if file != nil {
			w.small = append(w.small, file)
			return bySession, nil
		}
	}
	if err := w.findInbox(ctx); err != nil {
		return "", err
	}
	if err := w.upload(ctx, blob); err != nil {
		return "", err
	}
	w.sent = append(w.sent, ref.SHA256)
	return w.conn.UploadedBy(), nil
}

// sendAgain sends without SFTP what it has brought to a place that commands do not see.
func (w *work) sendAgain(ctx context.Context) error {
	w.conn.WithoutSFTP()
	sent := w.sent
	w.sent, w.inbox, w.resent = nil, "", true
	w.found.run = runState{state: "staged"} // the host says that it started nothing
	for _, sha := range sent {
		for _, ref := range w.files() {
			if ref.SHA256 != sha {
				continue
			}
			if _, err := w.bring(ctx, ref); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *work) upload(ctx context.Context, blob installer.Blob) error {
	path := fmt.Sprintf("%s/.%s.%s.tmp", w.from(), blob.Ref().SHA256, w.tag)
	err := w.conn.Upload(ctx, blob, path)
	if err != nil && installer.FailureOf(err).Kind == installer.KindChannelDenied {
		w.host.Close() // a server that allows one session: ours
		err = w.conn.Upload(ctx, blob, path)
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ended(ctx)
	}
	f := *installer.FailureOf(err)
	if f.Kind == installer.KindLostContact {
		// Known well enough: nothing was started.
		f.Kind, f.Detail = installer.KindUploadFailed, "the connection broke during the upload: "+f.Detail
	}
	return &f
}

// from is the folder for uploads: the final one, or that of a login that is not root, from which root copies.
func (w *work) from() string {
	return cmp.Or(w.inbox, w.found.root+"/files")
}

// findInbox: a login that is not root cannot write to root's folder.
func (w *work) findInbox(ctx context.Context) error {
	if w.host.Become == hostshell.AsLogin || w.inbox != "" {
		return nil
	}
	r, err := w.ask(ctx, nil, hostshell.InboxFiles, "inbox", "id="+w.runID())
	switch {
	case err != nil:
		return err
	case r.inbox == "":
		return installer.Fail(installer.KindNoSpace, "no folder on the host in which %s can put files: tried /var/tmp and /tmp", w.shown(w.inv.Host.User, 40))
	}
	w.inbox = r.inbox
	return nil
}
