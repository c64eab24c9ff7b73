// Package local connects the commands on one machine with the process that holds a
// state folder: by a Unix socket in the folder that serves only the folder's own user
// and root, or, within that process, in memory.
package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// SocketName is the socket's file in the folder.
const SocketName = "control.sock"

// ErrOtherUser: the process at the other end is another user's.
var ErrOtherUser = errors.New("the process at the other end of the socket is another user's")

// Conn is a connection with the user of the process at the other end.
type Conn struct {
	net.Conn
	UID uint32
}

// Listen makes the socket of a folder, in the place of one that a process has left
// that was killed. Only who has the folder for itself may.
func Listen(dir string) (net.Listener, error) {
	path := filepath.Join(dir, SocketName)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	short, release, err := shortPath(dir)
	if err != nil {
		return nil, err
	}
	defer release()
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: short, Net: "unix"})
	if err != nil {
		return nil, err
	}
	ln.SetUnlinkOnClose(false) // it would look for the short path
	l := &listener{UnixListener: ln, path: path}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

type listener struct {
	*net.UnixListener
	path string

	mu     sync.Mutex
	closed bool
	err    error
	queued []*net.UnixConn // before the close, and not accepted yet
}

// Accept returns connections of the folder's own user and root; after the close, those
// that had come before it.
func (l *listener) Accept() (net.Conn, error) {
	for {
		conn, err := l.next()
		if err != nil {
			return nil, err
		}
		uid, err := peerOf(conn)
		if err == nil && trusted(uid) {
			return Conn{conn, uid}, nil
		}
		_ = conn.Close()
	}
}

func (l *listener) next() (*net.UnixConn, error) {
	conn, err := l.AcceptUnix()
	if err == nil {
		return conn, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queued) == 0 {
		return nil, err
	}
	conn, l.queued = l.queued[0], l.queued[1:]
	return conn, nil
}

// Close removes the socket first: nobody is to find one that does not answer. Who has
// come is not cut off, since he may have asked for something already.
func (l *listener) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return l.err
	}
	l.closed = true
	l.err = os.Remove(l.path)
	var err error
	l.queued, err = closeQueue(l.UnixListener)
	l.err = errors.Join(l.err, err, l.UnixListener.Close())
	return l.err
}

// Dial connects to the process that has the folder. It does so only if that is run
// by the folder's owner, by ourselves or by root: ErrOtherUser.
func Dial(ctx context.Context, dir string) (net.Conn, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return nil, err
	}
	short, release, err := shortPath(dir)
	if err != nil {
		return nil, err
	}
	defer release()
	conn, err := new(net.Dialer).DialContext(ctx, "unix", short)
	if err != nil {
		return nil, err
	}
	uid, err := peerOf(conn.(*net.UnixConn))
	if owner := info.Sys().(*syscall.Stat_t).Uid; err == nil && !trusted(uid) && uid != owner {
		err = fmt.Errorf("%s: %w (user %d)", filepath.Join(dir, SocketName), ErrOtherUser, uid)
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return Conn{conn, uid}, nil
}

// NotListening reports whether a Dial failed because nobody listens.
func NotListening(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED)
}

func trusted(uid uint32) bool { return uid == 0 || int(uid) == os.Geteuid() }

// maxPath is how long the path of a socket may be, in bytes.
const maxPath = len(syscall.RawSockaddrUnix{}.Path) - 1

// shortPath is a path of the folder's socket that fits into an address: on Linux by way
// of the opened folder if need be.
func shortPath(dir string) (path string, release func(), err error) {
	if path = filepath.Join(dir, SocketName); len(path) <= maxPath {
		return path, func() {}, nil
	}
	if runtime.GOOS != "linux" {
		return "", nil, &os.PathError{Op: "socket", Path: path, Err: syscall.ENAMETOOLONG}
	}
	folder, err := os.Open(dir)
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", folder.Fd(), SocketName), func() { _ = folder.Close() }, nil
}

// peerOf asks the kernel about the process at the other end.
func peerOf(conn *net.UnixConn) (uid uint32, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var asked error
	err = raw.Control(func(fd uintptr) { uid, asked = peerUID(int(fd)) })
	return uid, errors.Join(err, asked)
}

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
