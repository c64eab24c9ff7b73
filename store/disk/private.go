package disk

import (
	"fmt"
	"io/fs"
	"os"
)

// CheckFile fails unless path is a regular file, not a link, and closed to
// group and others.
func CheckFile(path string) error { return checkPrivate(path, false) }

// CheckFolder fails unless path is a folder, not a link, and closed to group
// and others.
func CheckFolder(path string) error { return checkPrivate(path, true) }

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
	case Loose(info):
		return fmt.Errorf("%s is open to other users (mode %04o): refused; check who has read it, then: chmod %s %s", path, info.Mode().Perm(), mode, path)
	}
	return nil
}

// Loose reports whether group or others have any right.
func Loose(info fs.FileInfo) bool { return info.Mode().Perm()&0o077 != 0 }
