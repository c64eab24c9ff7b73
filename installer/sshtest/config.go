package sshtest

import (
	"fmt"
	"regexp"
	"time"

	"golang.org/x/crypto/ssh"
)

// DefaultPassword is root's on a Server whose Config names no users.
const DefaultPassword = "correct horse"

// NoPort as Config.Listen opens no port. Without one, and without commands, a
// Server works in a testing/synctest bubble.
const NoPort = "none"

// Config says what kind of host a Server is. The zero value is a friendly one:
// root logs in with DefaultPassword, SFTP and forwarding work.
type Config struct {
	// RootPassword is what su asks for; empty: it takes none.
	RootPassword string
	// Users who can log in; empty: root with DefaultPassword.
	Users []User
	// Listen is the TCP address; default "127.0.0.1:0". NoPort: none, only
	// ServeConn.
	Listen string
	// Root is the folder that stands for the host's root; it is made where it
	// is missing, and kept. Empty: a temporary one, removed by Close.
	Root string
	// Env is added to every command's environment ("NAME=value").
	Env []string
	// Shims are programs put first in PATH: file name to content.
	Shims map[string]string

	// HostKeys are presented; nil: new ones of HostKeyTypes.
	HostKeys []ssh.Signer
	// HostKeyTypes are "ed25519" (default), "ecdsa", "rsa" (2048 bits).
	HostKeyTypes []string
	// Version is the identification string; default "SSH-2.0-sshtest".
	Version string
	// PreVersion is sent before the version string, as it is: lines, or what
	// else a TCP wrapper may say.
	PreVersion string
	// Banner is shown before authentication.
	Banner string
	// Crypto restricts algorithms: an old or a strict server.
	Crypto ssh.Config
	// Latency delays everything, in each direction: half a round trip.
	Latency time.Duration

	SFTP SFTP
	// ShellNoise is printed on standard output by the login shell, before
	// each command.
	ShellNoise string
	// Forwarding of TCP connections (direct-tcpip).
	Forwarding Forwarding
	// MaxSessions open at once on one connection; 0: any number.
	MaxSessions int
	// MaxStartups drops connections as sshd does; zero: never.
	MaxStartups MaxStartups
	// MaxAuthTries on one connection; 0: 6.
	MaxAuthTries int
	// KillChildren kills the commands of a connection that ends. The default
	// is sshd's: they go on.
	KillChildren bool
	// IgnoreSignals ignores "signal" requests, as many servers do.
	IgnoreSignals bool

	// Faults to begin with; see Server.Inject.
	Faults []Fault
	// Logf, if not nil, is told what happens.
	Logf func(format string, args ...any)
}

// User is one account.
type User struct {
	Name string
	// Password is taken by the password method. Empty: that method is not
	// offered for this user.
	Password string
	// KeyboardInteractive is the password taken by that method.
	KeyboardInteractive string
	// AuthorizedKeys are lines in authorized_keys form.
	AuthorizedKeys []string
	// Refused: every way in is rejected, whatever is given (PermitRootLogin
	// no, AllowUsers …).
	Refused bool
	Expired Expired
	// Shell runs the commands (`SHELL -c LINE`); default /bin/sh.
	Shell string
	Sudo  Sudo
	Doas  DoasMode
}

// Expired is what the server does about a password that must be changed.
type Expired string

const (
	// NotExpired is the default.
	NotExpired Expired = ""
	// ExpiredPrompt: after the right password, keyboard-interactive asks for
	// the current and twice for a new one, as PAM does.
	ExpiredPrompt Expired = "prompt"
	// ExpiredNoTTY: the login works, and each command prints "Password change
	// required but no TTY available." and exits 1, as sshd does.
	ExpiredNoTTY Expired = "no-tty"
)

// Sudo is the user's part of sudoers. The sudo of a Server is a script that
// behaves like the real one under -n -S -k -K -p -u -v -l -E -H -i -s and --,
// and does not become another user.
type Sudo struct {
	Mode SudoMode
	// Password that it asks for; empty: the login password.
	Password string
	// RequireTTY: works only on a terminal.
	RequireTTY bool
	// Lecture is printed before the question.
	Lecture bool
	// Rust: it speaks as sudo-rs.
	Rust bool
	// Only is the one command that it lets the user run, an absolute path with arguments; empty: all.
	Only string
}

// SudoMode says whether and how sudo lets the user through.
type SudoMode string

const (
	SudoDenied     SudoMode = ""           // not in sudoers: asks, then refuses
	SudoNoPassword SudoMode = "nopassword" // NOPASSWD: asks nothing, reads nothing
	SudoPassword   SudoMode = "password"
	SudoMissing    SudoMode = "missing" // not installed
)

// DoasMode says whether and how doas lets the user through.
type DoasMode string

const (
	DoasMissing    DoasMode = ""
	DoasDenied     DoasMode = "denied"
	DoasNoPassword DoasMode = "nopassword"
	DoasPassword   DoasMode = "password" // the login's, on a terminal only
)

// SFTP says what happens when the subsystem is asked for.
type SFTP string

const (
	SFTPOn  SFTP = ""
	SFTPOff SFTP = "off" // the request is refused
	// SFTPChatty: the login shell prints before the protocol starts.
	SFTPChatty SFTP = "chatty"
	// SFTPElsewhere: it shows another part of the file system than commands do.
	SFTPElsewhere SFTP = "elsewhere"
)

// Forwarding says to where the server forwards.
type Forwarding struct {
	// Denied: nowhere (AllowTcpForwarding no).
	Denied bool
	// Only these "host:port" are reached (PermitOpen). Nil: all.
	Only []string
	// Names gives "host:port" that only this server can reach, as in a closed
	// network: what the client asks for, to what is dialled.
	Names map[string]string
}

// MaxStartups are sshd's three figures: with Start unauthenticated connections
// Rate percent of new ones are dropped, rising to all of them at Full.
type MaxStartups struct {
	Start, Rate, Full int
	// Seed of the coin, so that a run can be repeated.
	Seed uint64
	// Text is sent before the connection is closed; default sshd's
	// "Exceeded MaxStartups\r\n". "-": nothing.
	Text string
}

var userName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}$`)

// complete checks cfg and fills in defaults.
func (cfg Config) complete() (Config, error) {
	if len(cfg.Users) == 0 {
		cfg.Users = []User{{Name: "root", Password: DefaultPassword}}
	}
	for _, u := range cfg.Users {
		if !userName.MatchString(u.Name) {
			return cfg, fmt.Errorf("sshtest: user name %q", u.Name)
		}
	}
	if cfg.Listen == "" {
		cfg.Listen = "127.0.0.1:0"
	}
	if cfg.Version == "" {
		cfg.Version = "SSH-2.0-sshtest"
	}
	if cfg.Logf == nil {
		cfg.Logf = func(string, ...any) {}
	}
	if cfg.HostKeys == nil {
		keys, err := newHostKeys(cfg.HostKeyTypes)
		if err != nil {
			return cfg, err
		}
		cfg.HostKeys = keys
	}
	return cfg, nil
}

func (cfg Config) user(name string) *User {
	for i := range cfg.Users {
		if cfg.Users[i].Name == name {
			return &cfg.Users[i]
		}
	}
	return nil
}

// anyPassword is the password that u types, whichever method asks.
func (u *User) anyPassword() string {
	if u.Password != "" {
		return u.Password
	}
	return u.KeyboardInteractive
}
