package local

import (
	"os"

	"golang.org/x/sys/unix"
)

func peerUID(fd int) (uint32, error) {
	cred, err := unix.GetsockoptXucred(fd, unix.SOL_LOCAL, unix.LOCAL_PEERCRED)
	if err != nil {
		return 0, os.NewSyscallError("LOCAL_PEERCRED", err)
	}
	return cred.Uid, nil
}
