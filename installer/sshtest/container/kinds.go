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
)

// Kinds are all of them.
var Kinds = []Kind{
	PasswordKind, KeyKind, KeyboardInteractiveKind, SFTPOffKind, NoForwardingKind, RootRefusedKind, SudoNoPasswordKind,
	SudoPasswordKind, SudoRequireTTYKind, SudoDeniedKind, NoexecKind, ChattyKind, ExpiredKind, ExpiredPromptKind, JumpKind,
	DropbearKind, CshKind, FishKind, NologinKind, MaxStartupsKind, MaxSessionsKind, LegacyKind,
}

// User is who logs in on a host of this kind: root, or op where root may not.
func (k Kind) User() string {
	switch k {
	case RootRefusedKind, SudoNoPasswordKind, SudoPasswordKind, SudoRequireTTYKind, SudoDeniedKind:
		return "op"
	}
	return "root"
}

// runArgs are the kind's own arguments of docker run.
func (k Kind) runArgs() []string {
	if k == NoexecKind {
		return []string{"--tmpfs", "/tmp:rw,noexec,nosuid,size=256k", "--tmpfs", "/var/tmp:rw,noexec,nosuid,size=256k"}
	}
	return nil
}
