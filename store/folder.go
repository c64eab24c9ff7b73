package store

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"tripod/store/disk"
	"tripod/store/files"
	"tripod/store/vault"
)

const (
	dbName     = "tripod.db"
	lockName   = "tripod.lock"
	markerName = "initialized"
)

// prepareFolder makes the folder and its subfolders, or checks them. An empty folder is tightened; one
// with something in it that others can enter is refused: it may be known or planted already.
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

// LockedBy is who uses the folder, as far as he has said so.
func LockedBy(dir string) *LockedError {
	e := &LockedError{Dir: dir}
	if f, err := disk.Open(filepath.Join(dir, lockName), os.O_RDONLY); err == nil {
		e.PID = readPID(f)
		_ = f.Close()
	}
	return e
}

// lockPoll is the pause between two tries: flock has no wait with a limit.
const lockPoll = 20 * time.Millisecond

// lockFolder takes the folder for this process: alone to write, together with
// others to read. bbolt locks too, but cannot say who holds its lock.
func lockFolder(dir string, shared bool, wait time.Duration) (*os.File, error) {
	flag, how := os.O_RDWR|os.O_CREATE, syscall.LOCK_EX
	if shared {
		flag, how = os.O_RDONLY, syscall.LOCK_SH
	}
	f, err := disk.Open(filepath.Join(dir, lockName), flag)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoState
	}
	if err != nil {
		return nil, err
	}
	for until := time.Now().Add(wait); ; time.Sleep(lockPoll) {
		err = syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB)
		if err == nil {
			break
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return nil, errors.Join(err, f.Close())
		}
		if time.Now().After(until) {
			return nil, errors.Join(&LockedError{Dir: dir, PID: readPID(f)}, f.Close())
		}
	}
	if !shared {
		if err := writePID(f, strconv.Itoa(os.Getpid())+"\n"); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	return f, nil
}

// unlockFolder lets go of the folder. The file stays: removing a locked file
// would let two processes hold two locks.
func unlockFolder(f *os.File, shared bool) error {
	if shared {
		return f.Close()
	}
	return errors.Join(writePID(f, ""), f.Close())
}

func writePID(f *os.File, text string) error {
	_, err := f.WriteAt([]byte(text), 0)
	return errors.Join(err, f.Truncate(int64(len(text))))
}

func readPID(f *os.File) int {
	text, _ := io.ReadAll(io.NewSectionReader(f, 0, 32))
	pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return pid
}
