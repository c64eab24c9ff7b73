package recipe

import (
	"cmp"
	"context"
	"strings"

	"tripod/installer"
	"tripod/installer/recipe/hostshell"
)

// becomeRoot finds out how this user becomes root by sudo, and probes as root. The
// probe's limit bounds all of it, so no question can hang.
func (w *work) becomeRoot(ctx context.Context, args []string) error {
	h := w.host
	first := args
	if w.oldFolder != "" {
		first = append(args[:len(args):len(args)], "dir="+w.oldFolder)
	}
	var r reply
	var err error
	if r.Reply, err = h.Enter(ctx, r.add, first...); err != nil {
		return err
	}
	w.found, h.Folder = r.findings, r.folder
	if r.traceless {
		h.Rights = hostshell.FreeSudo
		return nil
	}
	switch {
	case r.noFolder:
		return installer.Fail(installer.KindNoSpace, "no folder in which %s can write: tried TMPDIR, /tmp, /var/tmp, HOME, /dev/shm", w.inv.Host.User)
	case !r.entered:
		return w.noAnswer(r)
	case r.uid == "0" && r.folder == "": // root under another name
		return nil
	case r.folder == "":
		return w.noAnswer(r)
	case r.uid == "0":
		h.Rights = hostshell.FreeSudo
		return nil
	}
	h.Rights = hostshell.PasswordSudo
	if needsTerminal(r.refused) {
		h.Rights = hostshell.TerminalSudo
	} else if fault := finalRefusal(r.refused); fault != "" {
		return w.sudoDenied(fault, r.refused)
	}
	if !h.HasPassword() && h.Rights == hostshell.PasswordSudo {
		return w.sudoDenied("sudo asks for a password, and none was given", r.refused)
	}
	return w.askSudo(ctx, args)
}

// askSudo probes as root with the password. sudo is asked once: a second try
// with the same password would only help to lock the account.
func (w *work) askSudo(ctx context.Context, args []string) error {
	h := w.host
	r, err := w.ask(ctx, nil, nil, "probe", append(args[:len(args):len(args)], "dir="+h.Folder)...)
	if err != nil {
		return err
	}
	said := r.Stderr + "\n" + r.Noise
	switch {
	case r.uid == "0":
		if r.traceless {
			h.Folder = ""
		}
		w.found = r.findings
		return nil
	case h.Rights == hostshell.PasswordSudo && needsTerminal(said):
		h.Rights = hostshell.TerminalSudo
		return w.askSudo(ctx, args)
	}
	fault := "sudo rejected the password"
	if !h.HasPassword() {
		fault = "sudo asks for a password, and none was given"
	}
	return w.sudoDenied(cmp.Or(finalRefusal(said), fault), said)
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
	case said == "none", strings.Contains(said, "sudo: not found"), strings.Contains(said, "sudo: command not found"):
		return "there is no sudo on the host, and the login is not root"
	case strings.Contains(said, "not in the sudoers file"), strings.Contains(said, "may not run sudo"):
		return "the user is not in sudoers"
	case strings.Contains(said, "is not allowed to execute"), strings.Contains(said, "is not allowed to run sudo"):
		return "sudoers does not allow the user to run sh as root"
	}
	return ""
}
