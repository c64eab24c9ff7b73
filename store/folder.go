package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	dbName     = "tripod.db"
	lockName   = "tripod.lock"
	markerName = "initialized"
	masterName = "master.key"
	epochsDir  = "epochs"
	logsDir    = "logs"
	blobsDir   = "blobs"
)

// prepareFolder makes the folder and its subfolders, or checks those that are
// there. An empty folder is tightened; one with something in it that others
// can enter is refused, for what is in it may be known or planted already.
func prepareFolder(dir string) error {
	info, err := os.Lstat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
			return err
		}
		if err := makeDir(dir); err != nil {
			return err
		}
	case err != nil:
		return err
	case info.IsDir() && loose(info):
		if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
			return errors.Join(err, checkPrivate(dir, true))
		}
		if err := os.Chmod(dir, 0o700); err != nil {
			return err
		}
	}
	if err := checkPrivate(dir, true); err != nil {
		return err
	}
	for _, sub := range []string{epochsDir, logsDir, blobsDir} {
		if err := makeDir(filepath.Join(dir, sub)); err != nil {
			return err
		}
	}
	return checkFolder(dir)
}

// checkFolder refuses linked files and looser modes among what is there (C11).
func checkFolder(dir string) error {
	if err := checkPrivate(dir, true); err != nil {
		return err
	}
	for _, sub := range []string{epochsDir, logsDir, blobsDir} {
		if err := checkPrivate(filepath.Join(dir, sub), true); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	for _, name := range []string{dbName, lockName, markerName, masterName} {
		if err := checkPrivate(filepath.Join(dir, name), false); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// checkPrivate fails unless path is a folder or a regular file, not a link,
// and closed to group and others.
func checkPrivate(path string, wantDir bool) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	mode := "600"
	if wantDir {
		mode = "700"
	}
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		return fmt.Errorf("%s is a symbolic link: refused, state must not be redirected", path)
	case wantDir && !info.IsDir():
		return fmt.Errorf("%s is not a folder", path)
	case !wantDir && !info.Mode().IsRegular():
		return fmt.Errorf("%s is not a regular file", path)
	case loose(info):
		return fmt.Errorf("%s is open to other users (mode %04o): refused; check who has read it, then: chmod %s %s", path, info.Mode().Perm(), mode, path)
	}
	return nil
}

func loose(info fs.FileInfo) bool { return info.Mode().Perm()&0o077 != 0 }

// makeDir makes one folder with mode 0700 whatever the umask; one that is
// there is fine.
func makeDir(path string) error {
	err := os.Mkdir(path, 0o700)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if err := os.Chmod(path, 0o700); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}
