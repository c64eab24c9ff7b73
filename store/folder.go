package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"tripod/store/disk"
	"tripod/store/files"
	"tripod/store/vault"
)

const (
	dbName     = "tripod.db"
	lockName   = "tripod.lock"
	markerName = "initialized"
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
		if err := disk.MakeFolder(dir); err != nil {
			return err
		}
	case err != nil:
		return err
	case info.IsDir() && disk.Loose(info):
		if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
			return errors.Join(err, disk.CheckFolder(dir))
		}
		if err := os.Chmod(dir, 0o700); err != nil {
			return err
		}
	}
	if err := disk.CheckFolder(dir); err != nil {
		return err
	}
	for _, sub := range []string{files.LogsFolder, files.BlobsFolder} {
		if err := disk.MakeFolder(filepath.Join(dir, sub)); err != nil {
			return err
		}
	}
	return checkFolder(dir)
}

// checkFolder refuses linked files and looser modes among what is there (C11).
func checkFolder(dir string) error {
	if err := disk.CheckFolder(dir); err != nil {
		return err
	}
	for _, sub := range []string{files.LogsFolder, files.BlobsFolder} {
		if err := disk.CheckFolder(filepath.Join(dir, sub)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	for _, name := range []string{dbName, lockName, markerName, vault.MasterName, vault.KeysName} {
		if err := disk.CheckFile(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
