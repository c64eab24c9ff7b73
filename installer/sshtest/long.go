package sshtest

import "os"

// Long reports whether the tests are to try everything (`make test-long`): every
// point at which something can be cut off, every kind of host in every place.
func Long() bool { return os.Getenv("TRIPOD_TEST_LONG") != "" }

// EveryNth thins out the points at which something is cut off: all of them in the
// long run, else every fourth.
func EveryNth() int {
	if Long() {
		return 1
	}
	return 4
}
