package sshtest

// ContainerKind names a kind of container; testdata/images/README.md tells what
// each one is.
type ContainerKind string

const (
	PasswordKind            ContainerKind = "password"
	KeyKind                 ContainerKind = "key"
	KeyboardInteractiveKind ContainerKind = "keyboard-interactive"
	SFTPOffKind             ContainerKind = "sftp-off"
	NoForwardingKind        ContainerKind = "no-forwarding"
	RootRefusedKind         ContainerKind = "root-refused"
	SudoNoPasswordKind      ContainerKind = "sudo-nopasswd"
	SudoPasswordKind        ContainerKind = "sudo-password"
	SudoRequireTTYKind      ContainerKind = "sudo-requiretty"
	SudoDeniedKind          ContainerKind = "sudo-denied"
	NoexecKind              ContainerKind = "noexec"
	ChattyKind              ContainerKind = "chatty"
	ExpiredKind             ContainerKind = "expired"
	ExpiredPromptKind       ContainerKind = "expired-prompt"
	JumpKind                ContainerKind = "jump"
	DropbearKind            ContainerKind = "dropbear"
	CshKind                 ContainerKind = "csh"
	FishKind                ContainerKind = "fish"
	NologinKind             ContainerKind = "nologin"
	MaxStartupsKind         ContainerKind = "max-startups"
	MaxSessionsKind         ContainerKind = "max-sessions"
	LegacyKind              ContainerKind = "legacy"
)

// ContainerKinds are all of them.
var ContainerKinds = []ContainerKind{
	PasswordKind, KeyKind, KeyboardInteractiveKind, SFTPOffKind, NoForwardingKind, RootRefusedKind, SudoNoPasswordKind,
	SudoPasswordKind, SudoRequireTTYKind, SudoDeniedKind, NoexecKind, ChattyKind, ExpiredKind, ExpiredPromptKind, JumpKind,
	DropbearKind, CshKind, FishKind, NologinKind, MaxStartupsKind, MaxSessionsKind, LegacyKind,
}

// User is who logs in on a host of this kind: root, or op where root may not.
func (k ContainerKind) User() string {
	switch k {
	case RootRefusedKind, SudoNoPasswordKind, SudoPasswordKind, SudoRequireTTYKind, SudoDeniedKind:
		return "op"
	}
	return "root"
}

// runArgs are the kind's own arguments of docker run.
func (k ContainerKind) runArgs() []string {
	if k == NoexecKind {
		return []string{"--tmpfs", "/tmp:rw,noexec,nosuid,size=256k", "--tmpfs", "/var/tmp:rw,noexec,nosuid,size=256k"}
	}
	return nil
}
