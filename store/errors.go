package store

import (
	"errors"
	"fmt"

	"tripod/installer"
	"tripod/store/disk"
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
	ErrDamaged = disk.ErrDamaged
)

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
