package main

import (
	"cmp"
	"context"

	"tripod/installer"
)

// limitFlags bound what callers of the daemon may ask for.
type limitFlags struct {
	RequestRate int `default:"500" placeholder:"N" help:"Requests a second that one token or key may send in the long run; 0: no bound."`
	MaxOpen     int `default:"200000" placeholder:"N" help:"Tasks that may be open at once, of all projects; 0: no bound."`
}

func (f limitFlags) check(faults *installer.Faults) {
	if f.RequestRate < 0 {
		faults.Add("--request-rate", "must not be negative")
	}
	if f.MaxOpen < 0 {
		faults.Add("--max-open", "must not be negative")
	}
}

// requestRate is as the API has it.
func (f limitFlags) requestRate() int { return cmp.Or(f.RequestRate, -1) }

// noteAudit puts the end of the audit log where the daemon's log goes: out of
// reach of who could cut the audit log off, or replace the state by an older one.
func (e *localEngine) noteAudit(ctx context.Context) {
	anchor, err := e.store.AuditAnchor(ctx)
	if err != nil {
		e.app.log.Error("the end of the audit log cannot be read", "error", err)
		return
	}
	e.app.log.Info("audit log", "anchor", anchor.String())
}
