package recipe

import (
	"context"
	"io"

	"tripod/installer/recipe/hostshell"
)

// hostShell runs host scripts and gathers their findings.
type hostShell struct{ *hostshell.Shell }

// reply is what a host script answered.
type reply struct {
	findings
	hostshell.Reply
}

func (h *hostShell) do(ctx context.Context, out io.Writer, files []string, verb string, args ...string) (r reply, err error) {
	r.Reply, err = h.Run(ctx, out, r.add, files, verb, args...)
	return r, err
}

func (h *hostShell) enter(ctx context.Context, args ...string) (r reply, err error) {
	r.Reply, err = h.Enter(ctx, r.add, args...)
	return r, err
}
