package files

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"
	"sync"

	"tripod/installer"
	"tripod/store/disk"
	"tripod/store/kv"
)

var hashForm = regexp.MustCompile(`^[0-9a-f]{64}$`)

// openBlobs are the blobs in use: each file is opened and checked once, and
// read by offset, so that any number of hosts share one descriptor and nothing
// is held in memory.
type openBlobs struct {
	mu     sync.Mutex
	files  map[string]*os.File
	closed bool
}

// blob is one view of a shared file. It cannot be closed: others read it.
type blob struct {
	file *os.File
	ref  installer.BlobRef
}

func (b blob) Ref() installer.BlobRef { return b.ref }

func (b blob) ReadAt(p []byte, off int64) (int, error) { return b.file.ReadAt(p, off) }

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
	if !hashForm.MatchString(ref.SHA256) {
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
		if s.blobs.files == nil {
			s.blobs.files = map[string]*os.File{}
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
	hash := sha256.New()
	size, err := io.Copy(hash, f)
	if err == nil && (size != ref.Size || hex.EncodeToString(hash.Sum(nil)) != ref.SHA256) {
		err = fmt.Errorf("%s is not what was stored: add %q again", path, ref.Name)
	}
	if err != nil {
		return nil, errors.Join(disk.Error("opening a file", err), f.Close())
	}
	return f, nil
}

func (b *openBlobs) closeAll() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	var errs []error
	for _, f := range b.files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
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
