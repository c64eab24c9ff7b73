package netsim

import (
	"net"
	"strconv"
)

// UnusedPort is a TCP port of 127.0.0.1 at which nothing listens. Until release
// nobody is given it who asks for any free one; who asks for this one may have it.
func UnusedPort() (port uint16, release func(), err error) {
	addr, release, err := Hold("127.0.0.1:0")
	if err != nil {
		return 0, nil, err
	}
	_, text, err := net.SplitHostPort(addr)
	if err != nil {
		release()
		return 0, nil, err
	}
	n, err := strconv.ParseUint(text, 10, 16)
	return uint16(n), release, err
}
