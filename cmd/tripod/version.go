package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// version is set by the Makefile; `go install` leaves it empty.
var version string

type versionCmd struct{}

// Run prints the version on stdout.
func (versionCmd) Run(a *app) error {
	return a.print(fmt.Sprintf("tripod %s (%s, %s/%s)\n", versionWord(), runtime.Version(), runtime.GOOS, runtime.GOARCH))
}

func versionWord() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return "devel-" + s.Value[:min(12, len(s.Value))]
		}
	}
	return "devel"
}
