package local

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

func peerUID(fd int) (uint32, error) {
	cred, err := unix.GetsockoptXucred(fd, unix.SOL_LOCAL, unix.LOCAL_PEERCRED)
	if err != nil {
		return 0, os.NewSyscallError("LOCAL_PEERCRED", err)
	}
	return cred.Uid, nil
}

// shortPath is the path of the folder's socket, if it fits into an address.
func shortPath(dir string) (path string, release func(), err error) {
	path = filepath.Join(dir, SocketName)
	if len(path) > maxPath {
		return "", nil, &os.PathError{Op: "socket", Path: path, Err: unix.ENAMETOOLONG}
	}
	return path, func() {}, nil
}
