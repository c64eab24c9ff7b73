package container

// Kind names a kind of container; testdata/images/README.md tells what
// each one is.
type Kind string

const (
	PasswordKind            Kind = "password"
	KeyKind                 Kind = "key"
	KeyboardInteractiveKind Kind = "keyboard-interactive"
	SFTPOffKind             Kind = "sftp-off"
	NoForwardingKind        Kind = "no-forwarding"
	RootRefusedKind         Kind = "root-refused"
	SudoNoPasswordKind      Kind = "sudo-nopasswd"
	SudoPasswordKind        Kind = "sudo-password"
	SudoRequireTTYKind      Kind = "sudo-requiretty"
	SudoDeniedKind          Kind = "sudo-denied"
	SudoSuKind              Kind = "sudo-su"
	DoasKind                Kind = "doas"
	SuKind                  Kind = "su"
	NoexecKind              Kind = "noexec"
	ChattyKind              Kind = "chatty"
	ExpiredKind             Kind = "expired"
	ExpiredPromptKind       Kind = "expired-prompt"
	JumpKind                Kind = "jump"
	DropbearKind            Kind = "dropbear"
	CshKind                 Kind = "csh"
	FishKind                Kind = "fish"
	NologinKind             Kind = "nologin"
	MaxStartupsKind         Kind = "max-startups"
	MaxSessionsKind         Kind = "max-sessions"
	LegacyKind              Kind = "legacy"
	SystemdKind             Kind = "systemd"
	SysvinitKind            Kind = "sysvinit"
	OpenRCKind              Kind = "openrc"
)

// Kinds are all of them.
var Kinds = []Kind{
	PasswordKind, KeyKind, KeyboardInteractiveKind, SFTPOffKind, NoForwardingKind, RootRefusedKind, SudoNoPasswordKind,
	SudoPasswordKind, SudoRequireTTYKind, SudoDeniedKind, SudoSuKind, DoasKind, SuKind, NoexecKind, ChattyKind, ExpiredKind, ExpiredPromptKind, JumpKind,
	DropbearKind, CshKind, FishKind, NologinKind, MaxStartupsKind, MaxSessionsKind, LegacyKind,
	SystemdKind, SysvinitKind, OpenRCKind,
}

// User is who logs in on a host of this kind: root, or op where root may not.
func (k Kind) User() string {
	switch k {
	case RootRefusedKind, SudoNoPasswordKind, SudoPasswordKind, SudoRequireTTYKind, SudoDeniedKind, SudoSuKind, DoasKind, SuKind:
		return "op"
	}
	return "root"
}

// hasInit: an init system is its first process.
func (k Kind) hasInit() bool {
	return k == SystemdKind || k == SysvinitKind || k == OpenRCKind
}

// image is the kind's image, where plain is that of kinds without an init system.
func (k Kind) image(plain string) string {
	if k.hasInit() {
		return plain + "-" + string(k)
	}
	return plain
}

// runArgs are the kind's own arguments of docker run.
func (k Kind) runArgs() []string {
	if !k.hasInit() {
		// --init: a real host has a process that reaps orphans.
		args := []string{"--init"}
		if k == NoexecKind {
			args = append(args, "--tmpfs", "/tmp:rw,noexec,nosuid,size=256k", "--tmpfs", "/var/tmp:rw,noexec,nosuid,size=256k")
		}
		return args
	}
	// --tty: what it says at the start is in the log.
	args := []string{"--tty", "--tmpfs", "/run", "--tmpfs", "/run/lock"}
	if k == SystemdKind {
		args = append(args, "--cap-add", "SYS_ADMIN", "--security-opt", "apparmor=unconfined", "--cgroupns", "private")
	}
	return args
}
