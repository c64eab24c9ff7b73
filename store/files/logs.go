package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"tripod/installer"
	"tripod/store/disk"
	"tripod/store/kv"
)

// A log is kept at both ends: the first half of its cap in one file, the head, and what comes after
// that in files of a quarter, of which the last two stay. These are in a folder beside the head, each
// named by how many bytes of the log come before it, so that whatever a crash leaves can be read.

// logPart is one file of a log.
type logPart struct {
	path string
	from int64 // bytes of the log before it
	size int64
}

func (p logPart) end() int64 { return p.from + p.size }

func (s *Files) logPath(batch, id string) string { return s.path(LogsFolder, batch, id+".log") }

func tailFolder(head string) string { return strings.TrimSuffix(head, ".log") + ".tail" }

// logParts are the files of a log in their order, the head first; none: there is no log. The names are
// looked at before the sizes: of a log that is being written, only the last part grows then.
func logParts(head string) ([]logPart, error) {
	entries, err := os.ReadDir(tailFolder(head)) // sorted
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	parts := []logPart{{path: head}}
	for _, e := range entries {
		from, err := strconv.ParseInt(e.Name(), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%s is not a part of a log", filepath.Join(tailFolder(head), e.Name()))
		}
		parts = append(parts, logPart{path: filepath.Join(tailFolder(head), e.Name()), from: from})
	}
	there := parts[:0]
	for _, p := range parts {
		info, err := os.Lstat(p.path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		p.size = info.Size()
		there = append(there, p)
	}
	return there, nil
}

// logReader reads a log from its files, with a line in each gap.
type logReader struct {
	io.Reader
	files []*os.File
}

func (r *logReader) Close() error { return closeAll(slices.Values(r.files)) }

// ReadLog opens what an invocation has said so far; nothing at all is no error.
func (s *Files) ReadLog(batch, id string) (io.ReadCloser, error) {
	parts, err := logParts(s.logPath(batch, id))
	if err != nil {
		return nil, disk.Error("reading a log", err)
	}
	log := &logReader{}
	var readers []io.Reader
	end, last := int64(0), []byte{'\n'}
	for _, p := range parts {
		f, err := disk.Open(p.path, os.O_RDONLY)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it has made room meanwhile
		}
		if err != nil {
			return nil, errors.Join(disk.Error("reading a log", err), log.Close())
		}
		log.files = append(log.files, f)
		if p.from > end {
			readers = append(readers, strings.NewReader(gapLine(p.from-end, last[0])))
		}
		readers = append(readers, f)
		if end = p.end(); p.size > 0 {
			_, _ = f.ReadAt(last, p.size-1)
		}
	}
	log.Reader = io.MultiReader(readers...)
	return log, nil
}

// gapLine stands where so much of a log was left out; last is the byte before it.
func gapLine(size int64, last byte) string {
	line := fmt.Sprintf("[tripod: %d bytes left out here]\n", size)
	if last != '\n' {
		return "\n" + line
	}
	return line
}

// logWriter appends to one invocation's log. The first file is made by the first byte.
type logWriter struct {
	path string
	most int64

	mu     sync.Mutex
	parts  []logPart
	file   *os.File // the last part; nil: not looked at yet
	dirty  bool
	closed bool
}

// OpenLog implements engine.Queue. A resumed attempt appends. Close syncs, so whoever closes it before
// Finish has it on disk before the result is.
func (s *Files) OpenLog(_ context.Context, inv *installer.Invocation) (installer.Log, error) {
	if s.DB.ReadOnly() {
		return nil, disk.ErrReadOnly
	}
	if err := errors.Join(kv.CheckID("batch", inv.BatchID), kv.CheckID("invocation", inv.ID)); err != nil {
		return nil, err
	}
	return &logWriter{path: s.logPath(inv.BatchID, inv.ID), most: s.LogCap}, nil
}

func (w *logWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return 0, disk.Error("writing a log", os.ErrClosed)
	}
	written := 0
	for written < len(p) {
		room, err := w.room()
		if err != nil {
			return written, disk.Error("opening a log", err)
		}
		n, err := w.file.Write(p[written:][:min(room, int64(len(p)-written))])
		w.last().size += int64(n)
		w.dirty = w.dirty || n > 0
		written += n
		if err != nil {
			return written, disk.Error("writing a log", err)
		}
	}
	return written, nil
}

func (w *logWriter) last() *logPart { return &w.parts[len(w.parts)-1] }

// room is what the last part can take; a full one is followed by another.
func (w *logWriter) room() (int64, error) {
	if err := w.ensure(); err != nil {
		return 0, err
	}
	most := max(1, w.most/4)
	if len(w.parts) == 1 {
		most = w.most / 2
	}
	if room := most - w.last().size; room > 0 {
		return room, nil
	}
	return max(1, w.most/4), w.begin(w.last().end())
}

// begin begins the part that has so many bytes of the log before it, and drops the oldest after the
// head.
func (w *logWriter) begin(from int64) error {
	folder := tailFolder(w.path)
	if err := disk.MakeFolder(folder); err != nil {
		return err
	}
	w.parts = append(w.parts, logPart{path: filepath.Join(folder, fmt.Sprintf("%019d", from)), from: from})
	if err := w.openLast(); err != nil {
		return err
	}
	for len(w.parts) > 3 {
		if err := os.Remove(w.parts[1].path); err != nil {
			return err
		}
		w.parts = slices.Delete(w.parts, 1, 2)
	}
	return nil
}

func (w *logWriter) openLast() error {
	f, err := disk.Open(w.last().path, os.O_WRONLY|os.O_APPEND|os.O_CREATE)
	if err == nil && w.file != nil {
		err = w.file.Close()
	}
	w.file = f
	return err
}

// ensure opens the last part, and makes the log durable as a name if it is new.
func (w *logWriter) ensure() (err error) {
	if w.file != nil {
		return nil
	}
	dir := filepath.Dir(w.path)
	if err := disk.MakeFolder(dir); err != nil {
		return err
	}
	if w.parts, err = logParts(w.path); err != nil {
		return err
	}
	isNew := len(w.parts) == 0
	if isNew {
		w.parts = []logPart{{path: w.path}}
	}
	if err := w.openLast(); err != nil || !isNew {
		return err
	}
	return disk.SyncFolder(dir)
}

// Position implements installer.Rewinder. What was left out counts too.
func (w *logWriter) Position() (int64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	parts := w.parts
	if w.file == nil {
		var err error
		if parts, err = logParts(w.path); err != nil {
			return 0, disk.Error("looking at a log", err)
		}
	}
	if len(parts) == 0 {
		return 0, nil
	}
	return parts[len(parts)-1].end(), nil
}

// Rewind implements installer.Rewinder. What has been left out before the position stays so.
func (w *logWriter) Rewind(position int64) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return disk.Error("cutting a log", os.ErrClosed)
	}
	if err := w.ensure(); err != nil {
		return disk.Error("opening a log", err)
	}
	if position < 0 || position >= w.last().end() {
		return nil
	}
	return disk.Error("cutting a log", w.cut(position))
}

// cut removes from the end to the front, so that a crash leaves a log that is only less cut.
func (w *logWriter) cut(position int64) error {
	w.dirty = true
	for len(w.parts) > 1 && w.last().from >= position {
		if err := os.Remove(w.last().path); err != nil {
			return err
		}
		w.parts = w.parts[:len(w.parts)-1]
	}
	if w.last().end() < position {
		return w.begin(position)
	}
	if err := w.openLast(); err != nil {
		return err
	}
	if err := w.file.Truncate(position - w.last().from); err != nil {
		return err
	}
	w.last().size = position - w.last().from
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
		err = disk.Error("syncing a log", w.sync())
	}
	return errors.Join(err, w.file.Close())
}

func (w *logWriter) sync() error {
	err := w.file.Sync()
	if len(w.parts) == 1 {
		return err
	}
	for _, p := range w.parts[:len(w.parts)-1] {
		f, openErr := disk.Open(p.path, os.O_WRONLY)
		if err = errors.Join(err, openErr); openErr == nil {
			err = errors.Join(err, f.Sync(), f.Close())
		}
	}
	return errors.Join(err, disk.SyncFolder(tailFolder(w.path)))
}
