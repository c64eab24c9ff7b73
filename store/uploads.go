package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"tripod/installer"
)

// largestUpload bounds a file that arrives in parts, in bytes.
const largestUpload = 2 << 30

// keepPart is how long a part is kept that nobody goes on with.
const keepPart = 24 * time.Hour

// BlobSize tells how many bytes of a file are here, and whether that is all of
// it. What has arrived of one outlives the process.
func (s *Store) BlobSize(sha256 string) (have int64, complete bool, err error) {
	if !hashForm.MatchString(sha256) {
		return 0, false, notFound("file", "")
	}
	for _, at := range []struct {
		path     string
		complete bool
	}{{s.path(blobsDir, sha256), true}, {s.partPath(sha256), false}} {
		info, err := os.Lstat(at.path)
		if err == nil {
			return info.Size(), at.complete, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return 0, false, storageError("looking for a file", err)
		}
	}
	return 0, false, nil
}

func (s *Store) partPath(sha256 string) string { return s.path(blobsDir, "part-"+sha256+".tmp") }

// AddToBlob appends to a file of which ref has the hash and the size, and
// reports how much of it is here then. Bytes that do not continue what is here
// are left out: the answer says where to go on. The last ones complete it: it
// is checked, and on disk when it returns. Faults where it is not what ref says.
func (s *Store) AddToBlob(ctx context.Context, ref installer.BlobRef, offset int64, data []byte) (have int64, complete bool, err error) {
	switch {
	case s.o.ReadOnly:
		return 0, false, errReadOnly
	case ref.Size < 0 || ref.Size > largestUpload:
		return 0, false, installer.Faults{{Where: "size", What: fmt.Sprintf("must be 0 to %d bytes", int64(largestUpload))}}
	}
	s.uploads.Lock()
	defer s.uploads.Unlock()
	have, complete, err = s.BlobSize(ref.SHA256)
	if err != nil || complete || have != offset {
		return have, complete, err
	}
	if have+int64(len(data)) > ref.Size {
		return have, false, installer.Faults{{Where: "offset", What: "more bytes than the file's size"}}
	}
	if offset == 0 {
		s.dropOldParts()
	}
	f, err := openPrivate(s.partPath(ref.SHA256), os.O_RDWR|os.O_CREATE|os.O_APPEND)
	if err != nil {
		return 0, false, storageError("storing a file", err)
	}
	defer func() { _ = f.Close() }()
	n, err := f.Write(data)
	have += int64(n)
	if err != nil || have < ref.Size {
		return have, false, storageError("storing a file", err)
	}
	// All bytes are here: whoever sent them need not wait for the rest.
	return have, true, s.completeBlob(context.WithoutCancel(ctx), f, ref)
}

// completeBlob gives a file that is all here its name.
func (s *Store) completeBlob(ctx context.Context, f *os.File, ref installer.BlobRef) error {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return storageError("storing a file", err)
	}
	hash := sha256.New()
	if _, err := io.Copy(hash, contextReader{ctx, f}); err != nil {
		return storageError("storing a file", err)
	}
	if hex.EncodeToString(hash.Sum(nil)) != ref.SHA256 {
		_ = os.Remove(f.Name())
		return installer.Faults{{Where: "sha256", What: "the bytes that arrived are not those of this hash: was the file changed meanwhile? send it again"}}
	}
	err := f.Sync()
	if err == nil {
		err = os.Rename(f.Name(), s.path(blobsDir, ref.SHA256))
	}
	if err == nil {
		err = syncDir(s.path(blobsDir))
	}
	return storageError("storing a file", err)
}

// dropOldParts removes what was never completed.
func (s *Store) dropOldParts() {
	parts, _ := filepath.Glob(s.partPath("*"))
	for _, p := range parts {
		if info, err := os.Lstat(p); err == nil && s.o.Clock().Sub(info.ModTime()) > keepPart {
			_ = os.Remove(p)
		}
	}
}
