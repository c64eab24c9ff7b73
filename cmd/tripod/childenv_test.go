package main

import (
	"os"
	"strings"
)

// goRace keeps programs that are built with the race detector from sleeping for
// a second when they end, which they do by default; else it changes nothing.
func goRace() string { return strings.TrimSpace(os.Getenv("GORACE") + " atexit_sleep_ms=10") }

// childEnv is what every tripod that a test starts needs of this machine.
func childEnv() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "TZ=UTC", "GORACE=" + goRace()}
}
