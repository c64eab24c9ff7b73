//go:build race

package sdk

// With the race detector on, the daemon is built with it too.
func init() { buildFlags = append(buildFlags, "-race") }
