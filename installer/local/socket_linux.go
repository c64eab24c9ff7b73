package local

import (
	"os"

	"golang.org/x/sys/unix"
)

func peerUID(fd int) (uint32, error) {
	cred, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return 0, os.NewSyscallError("SO_PEERCRED", err)
	}
	return cred.Uid, nil
}
