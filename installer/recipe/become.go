package recipe

import (
	"context"
	"errors"
	"slices"
	"strings"

	"tripod/installer"
	"tripod/installer/lazyregexp"
	"tripod/installer/recipe/hostshell"
)

// becomes are the ways to root that a host may be given.
var becomes = map[installer.Become]hostshell.Become{
	installer.BecomeAuto: hostshell.Auto, installer.BecomeSudo: hostshell.Sudo,
	installer.BecomeDoas: hostshell.Doas, installer.BecomeSu: hostshell.Su,
}

// wayToRoot is the host's, before it is known what it has.
func (w *work) wayToRoot() hostshell.Way {
	become := becomes[w.inv.Host.Become]
	return hostshell.Way{
		Become: become,
		// Only there do they read a password.
		Terminal: become == hostshell.Su || become == hostshell.Doas && w.host.HasPassword(),
	}
}

// rootPassword is what the program on the host is to be told. su asks for root's, which
// is not the login's.
func (w *work) rootPassword() installer.Secret {
	c := w.job.Credentials
	if c.SudoPassword.IsZero() && w.inv.Host.Become != installer.BecomeSu {
		return c.Password
	}
	return c.SudoPassword
}

// askAsRoot probes. A program is given the password once: a second try with the same one would only
// help to lock the account. No question can hang: each part of it has its limit.
func (w *work) askAsRoot(ctx context.Context) (reply, error) {
	if w.way.Become == hostshell.AsLogin {
		w.way = w.wayToRoot()
	}
	for {
		w.host.Way = w.way
		r, err := w.askProbe(ctx)
		refusal, refused := errors.AsType[*hostshell.NotRoot](err)
		switch {
		case !refused:
			return r, err
		case !refusal.Ran: // the host ended the login before
			return reply{Reply: hostshell.Reply{Code: refusal.Code, Noise: refusal.Said}}, nil
		case w.wantsTerminal(refusal):
			w.way.Terminal = true
			continue
		case w.way.Become == hostshell.Auto && runBy(w.way, refusal) == "doas" && w.wantsPassword(refusal) && w.host.HasPassword():
			w.way.Become, w.way.Terminal = hostshell.Doas, true
			continue
		}
		fault, said := w.refusal(refusal), refusal.Said
		if runBy(w.way, refusal) == "" {
			said = "" // by a shell, which did not find it
		}
		if runBy(w.way, refusal) == "sudo" && w.mayAllowLess(refusal) {
			list, told, err := w.host.SudoList(ctx)
			if err != nil {
				return r, w.notBegun(err)
			}
			if su, ok := suIn(list); ok && told && w.way.Become != hostshell.SudoSu {
				w.way.Become, w.way.Su = hostshell.SudoSu, su
				continue
			}
			fault, said = w.sudoAllows(fault, said, list, told)
		}
		return r, installer.Fail(installer.KindSudoDenied, "%s (user %s)%s", fault, w.shown(w.inv.Host.User, 40), w.quoted(said))
	}
}

// runBy is the program that was run; empty: the host has none of those wanted.
func runBy(way hostshell.Way, refusal *hostshell.NotRoot) string {
	wanted := map[hostshell.Become][]string{
		hostshell.Auto: {"sudo", "doas"}, hostshell.Sudo: {"sudo"}, hostshell.SudoSu: {"sudo"},
		hostshell.Doas: {"doas"}, hostshell.Su: {"su"},
	}[way.Become]
	for _, program := range wanted {
		if slices.Contains(refusal.Ways, program) {
			return program
		}
	}
	return ""
}

func (w *work) wantsTerminal(refusal *hostshell.NotRoot) bool {
	return !w.way.Terminal && saysAny(refusal.Said, "must have a tty", "no tty present and no askpass", "terminal is required", "must be run from a terminal")
}

func (w *work) wantsPassword(refusal *hostshell.NotRoot) bool {
	return saysAny(refusal.Said, "a password is required", "authentication is required", "Authentication required", "Interaction is required") ||
		refusal.Asked && !w.host.HasPassword()
}

// mayAllowLess: sudo may allow the user other commands than ours.
func (w *work) mayAllowLess(refusal *hostshell.NotRoot) bool {
	return !refusal.Rejected && (saysAny(refusal.Said, "is not allowed to execute", "I'm afraid I can't do that") ||
		w.wantsPassword(refusal) && !w.host.HasPassword())
}

// refusal tells the cause. The texts are those of sudo 1.8 to 1.9, sudo-rs, OpenDoas, and the su of
// util-linux, shadow and busybox, under LC_ALL=C; PAM's may be in another language.
func (w *work) refusal(refusal *hostshell.NotRoot) string {
	program, said := runBy(w.way, refusal), refusal.Said
	if program == "" {
		return w.lacks(refusal.Ways)
	}
	rejected := program + " rejected the password"
	switch {
	case saysAny(said, "account is locked", "account locked", "account has been locked", "is your account locked"):
		return "the account is locked for " + program
	case saysAny(said, "password is expired", "password expired", "account expired", "password has expired"):
		return "the password or the account has expired for " + program
	case refusal.Rejected, saysAny(said, "incorrect password attempt", "incorrect authentication attempt"),
		refusal.Asked && w.host.HasPassword() && saysAny(said, "Authentication fail", "incorrect password", "Sorry"):
		return rejected
	case saysAny(said, "not in the sudoers file", "may not run sudo"):
		return "the user is not in sudoers"
	case saysAny(said, "is not allowed to run sudo"):
		return "sudoers does not allow the user to run sudo on this host"
	case saysAny(said, "is not allowed to execute", "I'm afraid I can't do that"):
		return "sudoers does not allow the user to run sh as root"
	case program == "doas" && saysAny(said, "Operation not permitted"):
		return "doas.conf does not allow the user to run sh as root"
	case saysAny(said, "setuid", "suid", "effective uid is not 0", "no new privileges"):
		return program + " cannot work on this host"
	case w.wantsPassword(refusal) && !w.host.HasPassword():
		if program == "su" {
			return "su asks for the password of root, and none was given as sudo password"
		}
		return program + " asks for a password, and none was given"
	case refusal.Asked && w.host.HasPassword():
		return program + " refused after it was given the password, which may be wrong"
	}
	return program + " refused"
}

func (w *work) lacks(ways []string) string {
	fault := "there is neither sudo nor doas on the host"
	if wanted := w.inv.Host.Become; wanted != installer.BecomeAuto {
		fault = "there is no " + string(wanted) + " on the host"
	}
	fault += ", and the login is not root"
	switch {
	case slices.Contains(ways, "sudo"), slices.Contains(ways, "doas"):
		return fault + "; it has " + strings.Join(ways, ", ") + ": choose one with --become"
	case slices.Contains(ways, "su"):
		return fault + "; it has su: --become su, with the password of root as sudo password"
	}
	return fault
}

// sudoAllows is the cause by what sudo has told of what it allows, or the one that was known before.
func (w *work) sudoAllows(fault, said, list string, told bool) (cause, quote string) {
	if !told && saysAny(list, "not in the sudoers file", "may not run sudo") {
		return "the user is not in sudoers", list
	}
	var others []string
	for _, a := range allowed(list) {
		if a.runsShell() {
			return fault, said
		}
		others = append(others, a.command)
	}
	if !told || len(others) == 0 {
		return fault, said
	}
	return "sudoers lets the user run only " + w.shown(strings.Join(others, ", "), 120) + " as root, and sh is needed", ""
}

var (
	listed    = lazyregexp.New(`^\s+\(([^)]*)\) (.*)$`)
	tag       = lazyregexp.New(`^([A-Z_]+): ?`)
	suCommand = lazyregexp.New(`^(?:/usr)?/bin/su(?: (?:-|-l|--login|root|- root|-l root))?$`)
)

// sudoCommand is one that sudo lets the user run as root.
type sudoCommand struct {
	command string
	free    bool // of a password
}

func (c sudoCommand) runsShell() bool {
	return c.command == "ALL" || c.command == "/bin/sh" || c.command == "/usr/bin/sh"
}

// allowed are the commands of what sudo -l prints: "    (root : root) NOPASSWD: /bin/su -, /bin/ls".
func allowed(list string) (commands []sudoCommand) {
	for line := range strings.Lines(list) {
		m := listed().FindStringSubmatch(strings.TrimRight(line, "\r\n"))
		if m == nil {
			continue
		}
		users, _, _ := strings.Cut(m[1], ":")
		if !slices.ContainsFunc(strings.FieldsFunc(users, func(r rune) bool { return r == ',' || r == ' ' }), func(user string) bool {
			return user == "root" || user == "ALL"
		}) {
			continue
		}
		free := false
		for command := range strings.SplitSeq(m[2], ", ") {
			for { // a tag counts for what follows it, too
				t := tag().FindString(command)
				if t == "" {
					break
				}
				free = strings.HasPrefix(t, "NOPASSWD") || free && !strings.HasPrefix(t, "PASSWD")
				command = command[len(t):]
			}
			commands = append(commands, sudoCommand{command, free})
		}
	}
	return commands
}

// suIn is the su that a list of sudo's allows.
func suIn(list string) (su hostshell.SuCmd, ok bool) {
	for _, c := range allowed(list) {
		if suCommand().MatchString(c.command) {
			return hostshell.SuCmd{Line: c.command, Free: c.free}, true
		}
	}
	return su, false
}

// saysAny ignores case.
func saysAny(said string, texts ...string) bool {
	said = strings.ToLower(said)
	return slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(said, strings.ToLower(text)) })
}
