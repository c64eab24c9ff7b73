package recipe

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/sshtest"
	"tripod/installer/sshtest/testkeys"
)

const rootPassword = "r00t $canary 'x'"

// TestWaysToRoot: each program, what it wants, and what is said where it does not let us in. execs are
// the commands that it takes.
func TestWaysToRoot(t *testing.T) {
	t.Parallel()
	noSudo := sshtest.Sudo{Mode: sshtest.SudoMissing}
	with := func(mode sshtest.SudoMode, only string, rust bool) sshtest.Sudo {
		return sshtest.Sudo{Mode: mode, Only: only, Rust: rust}
	}
	for name, c := range map[string]struct {
		become installer.Become
		sudo   sshtest.Sudo
		doas   sshtest.DoasMode
		given  string // sudo password; "-": neither that nor the login's, but a key
		execs  int
		wrong  int // passwords that sudo was told
		says   string
	}{
		"doas, where there is no sudo":            {sudo: noSudo, doas: sshtest.DoasNoPassword, execs: 1},
		"doas with a password, where no sudo is":  {sudo: noSudo, doas: sshtest.DoasPassword, execs: 2},
		"doas":                                    {become: installer.BecomeDoas, doas: sshtest.DoasPassword, execs: 1},
		"doas, wrong password":                    {become: installer.BecomeDoas, doas: sshtest.DoasPassword, given: "wrong", execs: 1, says: "doas rejected the password (user ops): doas: Authentication failed"},
		"doas, no password given":                 {become: installer.BecomeDoas, doas: sshtest.DoasPassword, given: "-", execs: 1, says: "doas asks for a password, and none was given (user ops): doas: Authentication required"},
		"doas denies":                             {sudo: noSudo, doas: sshtest.DoasDenied, execs: 1, says: "doas.conf does not allow the user to run sh as root (user ops): doas: Operation not permitted"},
		"doas is missing":                         {become: installer.BecomeDoas, sudo: noSudo, execs: 1, says: "there is no doas on the host, and the login is not root; it has su: --become su, with the password of root as sudo password (user ops)"},
		"sudo is missing":                         {become: installer.BecomeSudo, sudo: noSudo, doas: sshtest.DoasPassword, execs: 1, says: "there is no sudo on the host, and the login is not root; it has doas, su: choose one with --become (user ops)"},
		"su":                                      {become: installer.BecomeSu, given: rootPassword, execs: 1},
		"su, wrong password":                      {become: installer.BecomeSu, given: "wrong", execs: 1, says: "su rejected the password (user ops): su: Authentication failure"},
		"su is not told the login's password":     {become: installer.BecomeSu, execs: 1, says: "su asks for the password of root, and none was given as sudo password (user ops)"},
		"su by sudo":                              {sudo: with(sshtest.SudoNoPassword, "/bin/su -", false), given: "-", execs: 3},
		"su by sudo, with a password":             {sudo: with(sshtest.SudoPassword, "/bin/su -", false), execs: 3},
		"su by sudo-rs":                           {sudo: with(sshtest.SudoNoPassword, "/bin/su -", true), given: "-", execs: 3},
		"other commands by sudo":                  {sudo: with(sshtest.SudoNoPassword, "/usr/bin/apt-get", false), given: "-", execs: 2, says: "sudoers lets the user run only /usr/bin/apt-get as root, and sh is needed (user ops)"},
		"other commands by sudo, with a password": {sudo: with(sshtest.SudoPassword, "/usr/bin/apt-get", false), execs: 2, says: "sudoers lets the user run only /usr/bin/apt-get as root, and sh is needed (user ops)"},
		"not in sudoers, no password given":       {given: "-", execs: 2, says: "the user is not in sudoers (user ops): Sorry, user ops may not run sudo on localhost."},
		"sudo, no password given":                 {sudo: with(sshtest.SudoPassword, "", false), given: "-", execs: 2, says: "sudo asks for a password, and none was given (user ops): sudo: a password is required"},
		"sudo-rs":                                 {sudo: with(sshtest.SudoPassword, "", true), execs: 1},
		"sudo-rs, not in sudoers":                 {sudo: with(sshtest.SudoDenied, "", true), execs: 2, says: "the user is not in sudoers (user ops): Sorry, user ops may not run sudo on localhost."},
		"sudo-rs, no password given":              {sudo: with(sshtest.SudoPassword, "", true), given: "-", execs: 2, says: "sudo asks for a password, and none was given (user ops): sudo: interactive authentication is required"},
		"sudo-rs, wrong password":                 {sudo: with(sshtest.SudoPassword, "", true), given: "wrong", execs: 1, wrong: 1, says: "sudo rejected the password (user ops): sudo: Authentication failed, try again."},
		"sudo, wrong password":                    {sudo: with(sshtest.SudoPassword, "", false), given: "wrong", execs: 1, wrong: 1, says: "sudo rejected the password (user ops): sudo: no password was provided | sudo: 1 incorrect password attempt"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			private, public := testkeys.Encrypted()
			ops := sshtest.User{Name: "ops", Password: userPassword, AuthorizedKeys: []string{public}, Sudo: c.sudo, Doas: c.doas}
			b := newBed(t, sshtest.Config{RootPassword: rootPassword, Users: []sshtest.User{ops}}, "ops").script(counted + "id -u\n")
			b.inv.Host.Become = c.become
			if c.given == "-" {
				b.creds.Login = installer.Login{PrivateKey: installer.NewSecret(private), Passphrase: installer.NewSecret(testkeys.Passphrase)}
			} else {
				b.creds.SudoPassword = installer.NewSecret(c.given)
			}
			_, err := b.work(t.Context())
			counts := b.srv.Counts()
			for _, line := range counts.Execs {
				for _, secret := range []string{userPassword, rootPassword} {
					assert.NotContains(t, line, secret)
				}
			}
			if c.says == "" {
				require.NoError(t, err)
				assert.Equal(t, "0\n", b.out.String())
				assert.Empty(t, b.runFolders())
			} else {
				f := requireKind(t, installer.KindSudoDenied, err)
				assert.Equal(t, c.says, f.Detail)
				assert.Equal(t, installer.StepProbe, f.Step)
			}
			assert.Len(t, counts.Execs, c.execs)
			told, _ := os.ReadFile(b.srv.Path("wrong-passwords"))
			assert.Equal(t, c.wrong, strings.Count(string(told), "\n"))
		})
	}
}

// TestWayIsKnownAfterReconnect: what has been found of the host is not tried again.
func TestWayIsKnownAfterReconnect(t *testing.T) {
	t.Parallel()
	ops := sshtest.User{Name: "ops", Password: userPassword, Sudo: sshtest.Sudo{Mode: sshtest.SudoMissing}, Doas: sshtest.DoasPassword}
	b := newBed(t, sshtest.Config{Users: []sshtest.User{ops}}, "ops").script(slowScript)
	done := b.start(t.Context())
	b.out.awaits(t, "begun\n")
	before := len(b.srv.Counts().Execs)
	b.srv.DropAll()
	b.letGo()
	require.NoError(t, <-done)
	assert.Equal(t, 2, before, "sudo or doas -n, doas")
	assert.Len(t, b.srv.Counts().Execs, 3)
	assert.Equal(t, 1, b.runs())
}

// TestAllowedBySudo: what sudo -l prints, and the only su commands that are put into a command line.
func TestAllowedBySudo(t *testing.T) {
	t.Parallel()
	const list = "Matching Defaults entries for ops on web:\n    env_reset, use_pty\n\nUser ops may run the following commands on web:\n"
	for entries, want := range map[string][]sudoCommand{
		"":                             nil,
		"    (ALL : ALL) ALL\n":        {{"ALL", false}},
		"    (ALL) NOPASSWD: ALL\r\n":  {{"ALL", true}},
		"    (www) NOPASSWD: ALL\n":    nil,
		"    (www, root) /bin/su -\n":  {{"/bin/su -", false}},
		"    (root : adm) /bin/su -\n": {{"/bin/su -", false}},
		"    (root) NOPASSWD: /bin/su -, /bin/ls, PASSWD: /bin/df\n": {{"/bin/su -", true}, {"/bin/ls", true}, {"/bin/df", false}},
		"    (root) NOEXEC: NOPASSWD: /bin/ls\n":                     {{"/bin/ls", true}},
		"    (root) NOPASSWD: SETENV: /bin/ls\n":                     {{"/bin/ls", true}},
	} {
		assert.Equal(t, want, allowed(list+entries), entries)
	}
	for _, no := range []string{"/bin/su -; id", "/bin/su -c 'id'", "/bin/su *", "!/bin/su -", "/tmp/su -", "/bin/su ops", "sudoedit /bin/su"} {
		_, ok := suIn(list + "    (root) NOPASSWD: " + no + "\n")
		assert.False(t, ok, no)
	}
}
