package netsim

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"syscall"
)

// Hold binds a socket to any free port of addr's and does not listen there: the
// kernel gives the port to whoever asks for it by its number, and to nobody else.
// An addr that is no IPv4 address with port 0 is returned as it is.
func Hold(addr string) (held string, release func(), err error) {
	at, err := netip.ParseAddrPort(addr)
	if err != nil || at.Port() != 0 || !at.Addr().Is4() {
		return addr, func() {}, nil
	}
	fail := func(err error) (string, func(), error) { return "", nil, fmt.Errorf("netsim: hold a port: %w", err) }
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return fail(err)
	}
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		_ = syscall.Close(fd)
		return fail(err)
	}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: at.Addr().As4()}); err != nil {
		_ = syscall.Close(fd)
		return fail(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		_ = syscall.Close(fd)
		return fail(err)
	}
	port := name.(*syscall.SockaddrInet4).Port
	return net.JoinHostPort(at.Addr().String(), strconv.Itoa(port)), func() { _ = syscall.Close(fd) }, nil
}
