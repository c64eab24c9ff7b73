//go:build !linux

package sshtest

import (
	"fmt"
	"net"
)

// hold only looks for a port that is free now.
func hold(addr string) (held string, release func(), err error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return "", nil, fmt.Errorf("sshtest: %w", err)
	}
	return l.Addr().String(), func() {}, l.Close()
}
