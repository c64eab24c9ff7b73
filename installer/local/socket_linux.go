package local

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

func peerUID(fd int) (uint32, error) {
	cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return 0, os.NewSyscallError("SO_PEERCRED", err)
	}
	return cred.Uid, nil
}

// shortPath is a path of the folder's socket that fits into an address, by way of
// the opened folder if need be.
func shortPath(dir string) (path string, release func(), err error) {
	if path = filepath.Join(dir, SocketName); len(path) <= maxPath {
		return path, func() {}, nil
	}
	folder, err := os.Open(dir)
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", folder.Fd(), SocketName), func() { _ = folder.Close() }, nil
}
