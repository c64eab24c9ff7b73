package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"tripod/installer"
	"tripod/store/disk"
	"tripod/store/kv"
)

// logWriter appends to one invocation's log up to its cap. The file is made by
// the first byte.
type logWriter struct {
	path string
	most int64

	mu     sync.Mutex
	file   *os.File
	size   int64
	dirty  bool
	closed bool
}

// OpenLog implements engine.Queue. A resumed attempt appends. What is past
// the cap is dropped without an error, after a line that says so. Close syncs,
// so whoever closes it before Finish has it on disk before the result is.
func (s *Files) OpenLog(_ context.Context, inv *installer.Invocation) (installer.Log, error) {
	if s.DB.ReadOnly() {
		return nil, disk.ErrReadOnly
	}
	if err := errors.Join(kv.CheckID("batch", inv.BatchID), kv.CheckID("invocation", inv.ID)); err != nil {
		return nil, err
	}
	return &logWriter{path: s.logPath(inv.BatchID, inv.ID), most: s.LogCap}, nil
}

func (s *Files) logPath(batch, id string) string { return s.path(LogsFolder, batch, id+".log") }

func (w *logWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return 0, disk.Error("writing a log", os.ErrClosed)
	}
	if len(p) == 0 {
		return 0, nil
	}
	if err := w.ensure(); err != nil {
		return 0, disk.Error("opening a log", err)
	}
	room := w.most - w.size
	if room < 0 {
		return len(p), nil // cut and marked already
	}
	out := p
	if int64(len(p)) > room {
		out = append(p[:room:room], w.cutLine(room, p)...)
	}
	n, err := w.file.Write(out)
	w.size += int64(n)
	w.dirty = w.dirty || n > 0
	if err != nil {
		return min(n, len(p)), disk.Error("writing a log", err)
	}
	return len(p), nil
}

func (w *logWriter) cutLine(room int64, p []byte) string {
	line := fmt.Sprintf("[tripod: output cut at %d bytes]\n", w.most)
	if room == 0 || p[room-1] != '\n' {
		return "\n" + line
	}
	return line
}

// ensure opens the file, and makes it durable as a name if it is new.
func (w *logWriter) ensure() error {
	if w.file != nil {
		return nil
	}
	dir := filepath.Dir(w.path)
	if err := disk.MakeFolder(dir); err != nil {
		return err
	}
	if err := disk.CheckFolder(dir); err != nil {
		return err
	}
	f, err := disk.Open(w.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil && info.Size() == 0 {
		err = disk.SyncFolder(dir)
	}
	if err != nil {
		return errors.Join(err, f.Close())
	}
	w.file, w.size = f, info.Size()
	return nil
}

// Position implements installer.Rewinder.
func (w *logWriter) Position() (int64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.file != nil {
		return w.size, nil
	}
	info, err := os.Lstat(w.path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, disk.Error("looking at a log", err)
	}
	return info.Size(), nil
}

// Rewind implements installer.Rewinder.
func (w *logWriter) Rewind(position int64) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return disk.Error("cutting a log", os.ErrClosed)
	}
	if err := w.ensure(); err != nil {
		return disk.Error("opening a log", err)
	}
	if position < 0 || position >= w.size {
		return nil
	}
	if err := w.file.Truncate(position); err != nil {
		return disk.Error("cutting a log", err)
	}
	w.size, w.dirty = position, true
	return nil
}

// Close syncs what was written.
func (w *logWriter) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil
	}
	w.closed = true
	if w.file == nil {
		return nil
	}
	var err error
	if w.dirty {
		err = disk.Error("syncing a log", w.file.Sync())
	}
	return errors.Join(err, w.file.Close())
}

// ReadLog opens what an invocation has said so far; nothing at all is no error.
func (s *Files) ReadLog(batch, id string) (io.ReadCloser, error) {
	f, err := disk.Open(s.logPath(batch, id), os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return io.NopCloser(strings.NewReader("")), nil
	}
	if err != nil {
		return nil, disk.Error("reading a log", err)
	}
	return f, nil
}
