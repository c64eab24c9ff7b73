package disk

import (
	"errors"
	"fmt"
	"strings"
	"syscall"

	"tripod/installer"
)

var (
	// ErrReadOnly: the state was opened for looking only.
	ErrReadOnly = fmt.Errorf("%w: the state was opened read-only", installer.ErrStorage)
	// ErrDamaged: the database is torn, truncated, missing or altered. It is
	// left as it is.
	ErrDamaged = errors.New("the database is damaged")
)

// Error marks err as one of the disk (installer.ErrStorage); nil stays nil.
func Error(doing string, err error) error {
	if err == nil || errors.Is(err, installer.ErrStorage) {
		return err
	}
	return fmt.Errorf("%w: %s: %w", installer.ErrStorage, doing, err)
}

// Curable reports whether freeing space, quota or limits may help. bbolt hides
// the cause when it cannot make its file longer; nothing was written then.
func Curable(err error) bool {
	return strings.Contains(err.Error(), "file resize error") || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}
