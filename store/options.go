package store

import (
	"log/slog"
	"time"
)

// Options of Open. The zero value is usable: credentials are then forgotten as
// soon as their batch has ended.
type Options struct {
	// ReadOnly opens for looking only. Several processes can, but none while
	// one writes (LockedError). Nothing is created or repaired.
	ReadOnly bool
	// Clock is the wall clock; nil: time.Now.
	Clock func() time.Time
	// KeepSucceeded and KeepOther say how long credentials can be opened after
	// their batch has ended: the first if all its invocations succeeded, the
	// second otherwise. 0: not at all. They are stored with each batch that this
	// process submits; those of other batches have the rule of theirs.
	KeepSucceeded, KeepOther time.Duration
	// LogCap bounds the log of one invocation in bytes, all its attempts
	// together. 0: 4 MiB.
	LogCap int64
	// MaxOpen bounds the invocations that have not ended, in all projects: a
	// batch that would be too much is refused with installer.ErrFull. 0: no bound.
	MaxOpen int
	// LockWait is how long to wait for another process to leave. 0: 1 s.
	LockWait time.Duration
	// MasterKey is the path of the master key, exactly 32 bytes. Empty:
	// master.key in the folder, made at first use. A file that is named here
	// must exist.
	MasterKey string
	// Logger is told what was repaired or erased; nil: nobody.
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.LogCap <= 0 {
		o.LogCap = 4 << 20
	}
	if o.LockWait <= 0 {
		o.LockWait = time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}
