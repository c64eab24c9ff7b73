//go:build !linux

package sshdial

import (
	"syscall"
	"time"
)

func setUserTimeout(syscall.RawConn, time.Duration) {}
