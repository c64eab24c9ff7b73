package store

import (
	"errors"
	"fmt"
	"strings"
	"syscall"

	"tripod/installer"
)

var (
	// ErrLocked: another process uses the folder. See LockedError.
	ErrLocked = errors.New("the state folder is in use")
	// ErrNoState: opened read-only, but the folder has never been used.
	ErrNoState = errors.New("there is no tripod state yet")
	// ErrExists: an id or a name is taken.
	ErrExists = installer.ErrExists
	// ErrDamaged: the database is torn, truncated, missing or altered. It is
	// left as it is.
	ErrDamaged = errors.New("the database is damaged")
)

var errReadOnly = fmt.Errorf("%w: the state was opened read-only", installer.ErrStorage)

// LockedError says who uses the folder. It is ErrLocked.
type LockedError struct {
	Dir string
	PID int // 0: not known (a process that only reads)
}

func (e *LockedError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("another tripod process is using %s", e.Dir)
	}
	return fmt.Sprintf("another tripod process (pid %d) is using %s", e.PID, e.Dir)
}

// Unwrap makes it ErrLocked.
func (e *LockedError) Unwrap() error { return ErrLocked }

// storageError marks err as one of the disk.
func storageError(doing string, err error) error {
	if err == nil || errors.Is(err, installer.ErrStorage) {
		return err
	}
	return fmt.Errorf("%w: %s: %w", installer.ErrStorage, doing, err)
}

// curable reports whether freeing space, quota or limits may help. bbolt hides
// the cause when it cannot make its file longer; nothing was written then.
func curable(err error) bool {
	return strings.Contains(err.Error(), "file resize error") || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}

func notFound(what, id string) error {
	return fmt.Errorf("%s %q: %w", what, id, installer.ErrNotFound)
}
