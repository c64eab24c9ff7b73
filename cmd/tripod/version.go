package main

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"

	"tripod/cmd/tripod/internal/session"
)

// version is set by the Makefile; `go install` leaves it empty.
var version string

type versionCmd struct{}

func (versionCmd) Run(s *session.Session) error {
	return s.Print(fmt.Sprintf("tripod %s (%s, %s/%s)\n", versionWord(), runtime.Version(), runtime.GOOS, runtime.GOARCH))
}

func versionWord() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return cmp.Or(version, strings.Trim(info.Main.Version, "()"), "devel")
	}
	return cmp.Or(version, "unknown")
}
