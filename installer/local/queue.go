package local

import (
	"errors"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// closeQueue lets no more connections come, and returns those that wait to be accepted.
func closeQueue(ln *net.UnixListener) (waiting []*net.UnixConn, err error) {
	raw, err := ln.SyscallConn()
	if err != nil {
		return nil, err
	}
	controlErr := raw.Control(func(fd uintptr) {
		// Linux refuses connections from then on. Elsewhere only the file is removed.
		_ = unix.Shutdown(int(fd), unix.SHUT_RD)
		for err == nil {
			var conn *net.UnixConn
			if conn, err = acceptNow(int(fd)); conn != nil {
				waiting = append(waiting, conn)
			}
		}
	})
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINVAL) { // there are none left
		err = nil
	}
	return waiting, errors.Join(controlErr, err)
}

func acceptNow(listener int) (*net.UnixConn, error) {
	syscall.ForkLock.RLock()
	fd, _, err := unix.Accept(listener)
	if err == nil {
		unix.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if errors.Is(err, unix.EINTR) || errors.Is(err, unix.ECONNABORTED) {
		return nil, nil
	}
	if err != nil {
		return nil, os.NewSyscallError("accept", err)
	}
	file := os.NewFile(uintptr(fd), SocketName)
	defer file.Close()
	conn, err := net.FileConn(file)
	if err != nil {
		return nil, err
	}
	return conn.(*net.UnixConn), nil
}
