// Package disk has the files of the state folder: only their owner can read
// them, no link redirects them, and they are whole and durable once written.
package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"tripod/installer"
)

// Open opens or makes a file with mode 0600 whatever the umask, and never
// through a link.
func Open(path string, flag int) (*os.File, error) {
	f, err := os.OpenFile(path, flag|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	if flag&os.O_CREATE != 0 {
		if err := f.Chmod(0o600); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	return f, nil
}

// Write puts data under path, whole or not at all, and on disk when it
// returns nil. A file that is there is replaced.
func Write(path string, data []byte) (err error) {
	tmp := path + ".tmp"
	f, err := Open(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(tmp)
		}
	}()
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err = os.Rename(tmp, path); err != nil {
		return err
	}
	return SyncFolder(filepath.Dir(path))
}

// SyncFolder makes the names in a folder durable.
func SyncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// MakeFolder makes one folder with mode 0700 whatever the umask, or checks one that is there: see CheckFolder.
func MakeFolder(path string) error {
	err := os.Mkdir(path, 0o700)
	if errors.Is(err, fs.ErrExist) {
		return CheckFolder(path)
	}
	if err != nil {
		return err
	}
	if err := os.Chmod(path, 0o700); err != nil {
		return err
	}
	return SyncFolder(filepath.Dir(path))
}

// Exists reports whether there is something by that name, if only a link.
func Exists(path string) (bool, error) {
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// CheckFile fails unless path is a regular file, not a link, and closed to group and
// others.
func CheckFile(path string) error {
	return checkPrivate(path, "600", fs.FileMode.IsRegular, "regular file")
}

// CheckFolder is CheckFile for a folder.
func CheckFolder(path string) error { return checkPrivate(path, "700", fs.FileMode.IsDir, "folder") }

func checkPrivate(path, mode string, isIt func(fs.FileMode) bool, what string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		return fmt.Errorf("%s is a symbolic link: refused, state must not be redirected", path)
	case !isIt(info.Mode()):
		return fmt.Errorf("%s is not a %s", path, what)
	case Loose(info):
		return fmt.Errorf("%s is open to other users (mode %04o): refused; check who has read it, then: chmod %s %s", path, info.Mode().Perm(), mode, path)
	}
	return nil
}

// Loose reports whether group or others have any right.
func Loose(info fs.FileInfo) bool { return info.Mode().Perm()&0o077 != 0 }

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
