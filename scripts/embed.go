// Package scripts holds what is shipped to target hosts. It exists so that the
// binary carries the very files that a person can run by hand.
package scripts

import "embed"

// Files has one folder per set of scripts. A set is shipped whole, into one
// folder: its scripts source the files beside them.
//
//go:embed telescope/*.sh
var Files embed.FS
