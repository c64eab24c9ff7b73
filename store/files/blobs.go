package files

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"tripod/installer"
	"tripod/store/disk"
	"tripod/store/kv"
)

// openBlobs are the blobs in use: each file is opened and checked once, and read by offset, so
// that any number of hosts share one descriptor.
type openBlobs struct {
	mu     sync.Mutex
	files  map[string]*os.File
	closed bool
}

// blob is one view of a shared file. It cannot be closed: others read it.
type blob struct {
	io.ReaderAt
	ref installer.BlobRef
}

func (b blob) Ref() installer.BlobRef { return b.ref }

// PutBlob keeps what r delivers under its SHA-256; on disk when it returns.
// name is what the user called it; its last part is kept.
func (s *Files) PutBlob(ctx context.Context, r io.Reader, name string) (ref installer.BlobRef, err error) {
	if s.DB.ReadOnly() {
		return ref, disk.ErrReadOnly
	}
	tmp, err := os.CreateTemp(s.path(BlobsFolder), "new-*.tmp") // mode 0600
	if err != nil {
		return ref, disk.Error("storing a file", err)
	}
	defer func() {
		_ = tmp.Close()
		_ = os.Remove(tmp.Name()) // renamed by now, if all went well
	}()
	hash := sha256.New()
	size, err := io.Copy(writeErrors{io.MultiWriter(tmp, hash)}, contextReader{ctx, r})
	if err != nil {
		return ref, err
	}
	ref = installer.BlobRef{SHA256: hex.EncodeToString(hash.Sum(nil)), Size: size, Name: baseName(name)}
	return ref, s.nameBlob(tmp, ref.SHA256)
}

// nameBlob gives a file that is all here its name. One that is there already is
// replaced by the same bytes, for it may be damaged.
func (s *Files) nameBlob(f *os.File, sha256 string) error {
	err := errors.Join(f.Chmod(0o600), f.Sync())
	if err == nil {
		err = os.Rename(f.Name(), s.path(BlobsFolder, sha256))
	}
	if err == nil {
		err = disk.SyncFolder(s.path(BlobsFolder))
	}
	return disk.Error("storing a file", err)
}

// OpenBlob implements installer.Blobs. The content is compared with its hash
// when it is opened for the first time.
func (s *Files) OpenBlob(ref installer.BlobRef) (installer.Blob, error) {
	if !installer.SHA256Form.MatchString(ref.SHA256) {
		return nil, kv.NotFound("file", ref.Name)
	}
	s.blobs.mu.Lock()
	defer s.blobs.mu.Unlock()
	if s.blobs.closed {
		return nil, disk.Error("opening a file", os.ErrClosed)
	}
	f := s.blobs.files[ref.SHA256]
	if f == nil {
		var err error
		if f, err = openBlob(s.path(BlobsFolder, ref.SHA256), ref); err != nil {
			return nil, err
		}
		s.blobs.files[ref.SHA256] = f
	}
	return blob{f, ref}, nil
}

func openBlob(path string, ref installer.BlobRef) (*os.File, error) {
	f, err := disk.Open(path, os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, kv.NotFound("file", ref.Name)
	}
	if err != nil {
		return nil, disk.Error("opening a file", err)
	}
	sum, size, err := hashOf(f)
	if err == nil && (size != ref.Size || sum != ref.SHA256) {
		err = fmt.Errorf("%s is not what was stored: add %q again", path, ref.Name)
	}
	if err != nil {
		return nil, errors.Join(disk.Error("opening a file", err), f.Close())
	}
	return f, nil
}

func hashOf(f *os.File) (sum string, size int64, err error) {
	hash := sha256.New()
	size, err = io.Copy(hash, f)
	return hex.EncodeToString(hash.Sum(nil)), size, err
}

func closeAll(files iter.Seq[*os.File]) (err error) {
	for f := range files {
		err = errors.Join(err, f.Close())
	}
	return err
}

func baseName(name string) string {
	name = path.Base(strings.ReplaceAll(name, `\`, "/"))
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, name)
	if strings.Trim(name, "./") == "" {
		return "file"
	}
	return name[:min(len(name), 255)]
}

// writeErrors marks errors of the writing side as the disk's; the reader's
// are the caller's own.
type writeErrors struct{ w io.Writer }

func (w writeErrors) Write(p []byte) (int, error) {
	n, err := w.w.Write(p)
	return n, disk.Error("storing a file", err)
}

type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

const largestUpload = 2 << 30

const keepPart = 24 * time.Hour

// A file is kept once, by its content; but only those projects that have sent all of it know that
// it is here, and a part is its sender's. So none can use, find out or spoil what another sends.
// The package store is for all projects.

func sentKey(project, sha256 string) []byte { return kv.Join(project, sha256) }

// forgetSent is for a file whose content is deleted: who sends it again tells
// nothing to those that sent it before.
func forgetSent(t *kv.Tx, sha256 string) {
	t.DelAll(tSent, func(yield func(key, val []byte) bool) {
		for key, val := range t.All(tSent, nil) {
			if kv.Last(key) == sha256 && !yield(key, val) {
				return
			}
		}
	})
}

// BlobSize tells how many bytes of a file the project has here, and whether that
// is all of it. What has arrived of one outlives the process.
func (s *Files) BlobSize(ctx context.Context, project, sha256 string) (have int64, complete bool, err error) {
	if !installer.SHA256Form.MatchString(sha256) {
		return 0, false, kv.NotFound("file", "")
	}
	if err := kv.CheckProject(project); err != nil {
		return 0, false, err
	}
	err = s.DB.View(ctx, func(t *kv.Tx) error {
		complete = t.Get(tSent, sentKey(project, sha256)) != nil || t.Get(tPackages, []byte(sha256)) != nil
		return nil
	})
	if err != nil {
		return 0, false, err
	}
	if complete {
		info, err := os.Lstat(s.path(BlobsFolder, sha256))
		if !errors.Is(err, fs.ErrNotExist) { // else its content is missing: what is on its way counts
			return sizeOf(info, err, true)
		}
	}
	info, err := os.Lstat(s.partPath(project, sha256))
	return sizeOf(info, err, false)
}

func sizeOf(info fs.FileInfo, err error, complete bool) (int64, bool, error) {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return 0, false, nil
	case err != nil:
		return 0, false, disk.Error("looking for a file", err)
	}
	return info.Size(), complete, nil
}

func (s *Files) partPath(project, sha256 string) string {
	return s.path(BlobsFolder, "part-"+sha256+"-"+project+".tmp")
}

// AddToBlob appends to a file of which ref has the hash and the size, and reports how much of it
// the project has then. Bytes that do not continue what is here are left out. The last ones complete
// it: it is checked, and on disk. Faults where it is not what ref says.
func (s *Files) AddToBlob(ctx context.Context, project string, ref installer.BlobRef, offset int64, data []byte) (have int64, complete bool, err error) {
	switch {
	case s.DB.ReadOnly():
		return 0, false, disk.ErrReadOnly
	case ref.Size < 0 || ref.Size > largestUpload:
		return 0, false, installer.Faults{{Where: "size", What: fmt.Sprintf("must be 0 to %d bytes", int64(largestUpload))}}
	}
	s.uploads.Lock()
	defer s.uploads.Unlock()
	have, complete, err = s.BlobSize(ctx, project, ref.SHA256)
	if err != nil || complete || have != offset {
		return have, complete, err
	}
	if have+int64(len(data)) > ref.Size {
		return have, false, installer.Faults{{Where: "offset", What: "more bytes than the file's size"}}
	}
	if offset == 0 {
		s.dropOldParts()
	}
	f, err := disk.Open(s.partPath(project, ref.SHA256), os.O_RDWR|os.O_CREATE|os.O_APPEND)
	if err != nil {
		return 0, false, disk.Error("storing a file", err)
	}
	defer func() { _ = f.Close() }()
	n, err := f.Write(data)
	have += int64(n)
	if err != nil || have < ref.Size {
		return have, false, disk.Error("storing a file", err)
	}
	// All bytes are here: whoever sent them need not wait for the rest.
	if err := s.completeBlob(f, ref); err != nil {
		return have, true, err
	}
	return have, true, s.DB.Update(context.WithoutCancel(ctx), func(t *kv.Tx) error {
		t.Put(tSent, sentKey(project, ref.SHA256), []byte{})
		return nil
	})
}

func (s *Files) completeBlob(f *os.File, ref installer.BlobRef) error {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return disk.Error("storing a file", err)
	}
	sum, _, err := hashOf(f)
	if err != nil {
		return disk.Error("storing a file", err)
	}
	if sum != ref.SHA256 {
		_ = os.Remove(f.Name())
		return installer.Faults{{Where: "sha256", What: "the bytes that arrived are not those of this hash: was the file changed meanwhile? send it again"}}
	}
	return s.nameBlob(f, ref.SHA256)
}

func (s *Files) dropOldParts() {
	parts, _ := filepath.Glob(s.path(BlobsFolder, "part-*.tmp"))
	for _, p := range parts {
		if info, err := os.Lstat(p); err == nil && s.Clock().Sub(info.ModTime()) > keepPart {
			_ = os.Remove(p)
		}
	}
}
