package main

import (
	"math"

	"golang.org/x/sys/unix"
)

// descriptorLimit raises the soft limit of open files to the hard one and
// returns it.
func descriptorLimit() int {
	var l unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &l); err != nil {
		return 1024
	}
	if l.Cur < l.Max {
		raised := unix.Rlimit{Cur: l.Max, Max: l.Max}
		if unix.Setrlimit(unix.RLIMIT_NOFILE, &raised) == nil {
			l = raised
		}
	}
	if l.Cur > math.MaxInt32 { // "unlimited"
		return math.MaxInt32
	}
	return int(l.Cur)
}
