package recipe

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"tripod/installer"
	"tripod/installer/recipe/hostshell"
)

const (
	maxSmall  = 128 << 10 // bytes of a file that goes with the request to run
	keptSmall = 8         // of such files are kept ready: all hosts of a batch get the same
)

// smallFiles are files as hosts get them, the last used ones.
type smallFiles struct {
	mu    sync.Mutex
	ready []*hostshell.File
}

// read returns nil for a file that is too large.
func (s *smallFiles) read(blob installer.Blob) (*hostshell.File, error) {
	ref := blob.Ref()
	if ref.Size > maxSmall {
		return nil, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock() // while it is read: others want the same one
	if at := slices.IndexFunc(s.ready, func(f *hostshell.File) bool { return f.SHA256 == ref.SHA256 }); at >= 0 {
		return s.ready[at], nil
	}
	content := make([]byte, ref.Size)
	if _, err := blob.ReadAt(content, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read the file to send: %w", err)
	}
	file := hostshell.NewFile(ref.SHA256, content)
	if file != nil {
		s.ready = append(s.ready[max(0, len(s.ready)-keptSmall+1):], file)
	}
	return file, nil
}
