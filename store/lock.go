package store

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"tripod/store/disk"
)

// lockPoll is the pause between two tries: flock has no wait with a limit.
const lockPoll = 20 * time.Millisecond

// lockFolder takes the folder for this process: alone to write, together with
// others to read. bbolt locks too, but cannot say who holds its lock.
func lockFolder(dir string, shared bool, wait time.Duration) (*os.File, error) {
	path := filepath.Join(dir, lockName)
	flag, how := os.O_RDWR|os.O_CREATE, syscall.LOCK_EX
	if shared {
		flag, how = os.O_RDONLY, syscall.LOCK_SH
	}
	f, err := disk.Open(path, flag)
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
	if shared {
		return f, nil
	}
	if err := writePID(f, strconv.Itoa(os.Getpid())+"\n"); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// unlockFolder lets go of the folder. The file stays: removing a locked file
// would let two processes hold two locks.
func unlockFolder(f *os.File, shared bool) error {
	var err error
	if !shared {
		err = writePID(f, "")
	}
	return errors.Join(err, f.Close())
}

func writePID(f *os.File, text string) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt([]byte(text), 0)
	return err
}

// readPID returns the holder's pid, or 0.
func readPID(f *os.File) int {
	text, err := io.ReadAll(io.NewSectionReader(f, 0, 32))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0
	}
	return pid
}
