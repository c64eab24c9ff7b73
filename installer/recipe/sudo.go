package recipe

import (
	"context"
	"errors"
	"strings"

	"tripod/installer"
	"tripod/installer/recipe/hostshell"
)

// askAsRoot probes. sudo may want a terminal, and says so. It is given the password once: a second
// try with the same one would only help to lock the account. No question can hang: each part of
// it has its limit.
func (w *work) askAsRoot(ctx context.Context) (reply, error) {
	for {
		var r reply
		err := w.asks(ctx, &r, hostshell.Request{
			Files: w.hostFiles(hostshell.ProbeFiles), Verb: "probe", Args: w.probeArgs(), Limit: w.Limits.Probe,
		})
		refusal, refused := errors.AsType[*hostshell.NotRoot](err)
		switch {
		case !refused:
			return r, err
		case refusal.Rejected:
			return r, w.sudoDenied("sudo rejected the password", refusal.Said)
		case needsTerminal(refusal.Said) && !w.host.Terminal:
			w.host.Terminal = true
			continue
		}
		fault := finalRefusal(refusal.Said)
		switch {
		case fault != "":
		case !w.host.HasPassword():
			fault = "sudo asks for a password, and none was given"
		case !strings.Contains(refusal.Said, "sudo"):
			return reply{Reply: hostshell.Reply{Code: refusal.Code, Noise: refusal.Said}}, nil // not even sudo was run
		default:
			fault = "sudo refused"
		}
		return r, w.sudoDenied(fault, refusal.Said)
	}
}

func (w *work) sudoDenied(fault, said string) error {
	return installer.Fail(installer.KindSudoDenied, "%s (user %s)%s", fault, w.shown(w.inv.Host.User, 40), w.quoted(said))
}

func needsTerminal(said string) bool {
	return strings.Contains(said, "must have a tty") || strings.Contains(said, "no tty present and no askpass")
}

// finalRefusal explains refusals that a password does not change. sudo runs under LC_ALL=C where we
// ask without one; these texts have not changed since 1.8.
func finalRefusal(said string) string {
	switch {
	case strings.Contains(said, "sudo: not found"), strings.Contains(said, "sudo: command not found"):
		return "there is no sudo on the host, and the login is not root"
	case strings.Contains(said, "not in the sudoers file"), strings.Contains(said, "may not run sudo"):
		return "the user is not in sudoers"
	case strings.Contains(said, "is not allowed to execute"), strings.Contains(said, "is not allowed to run sudo"):
		return "sudoers does not allow the user to run sh as root"
	}
	return ""
}
