//go:build !linux

package netsim

import (
	"fmt"
	"net"
)

// Hold only looks for a port that is free now.
func Hold(addr string) (held string, release func(), err error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return "", nil, fmt.Errorf("netsim: %w", err)
	}
	return l.Addr().String(), func() {}, l.Close()
}
