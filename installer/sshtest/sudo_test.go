package sshtest_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"tripod/installer/sshtest"
	"tripod/installer/sshtest/internal/plainssh"
)

// TestSudo holds the in-process sudo to what the real one does; the container
// tests ask the real one the same.
func TestSudo(t *testing.T) {
	t.Parallel()
	nopw := sshtest.Sudo{Mode: sshtest.SudoNoPassword}
	pw := sshtest.Sudo{Mode: sshtest.SudoPassword}
	own := sshtest.Sudo{Mode: sshtest.SudoPassword, Password: "sudo's own"}
	tty := sshtest.Sudo{Mode: sshtest.SudoPassword, RequireTTY: true}
	lecture := sshtest.Sudo{Mode: sshtest.SudoPassword, Lecture: true}
	for _, c := range []struct {
		name  string
		sudo  sshtest.Sudo
		line  string
		stdin string
		code  int
		out   string // contained
	}{
		{"nopassword reads nothing", nopw, "sudo -S -p '' cat", "stays\n", 0, "stays\n"},
		{"becomes root", nopw, "sudo -n -- id -un", "", 0, "root\n"},
		{"resets the environment", nopw, "X=1 sudo -n env", "", 0, "SUDO_USER=op"},
		{"passes variables", nopw, "sudo -n X=1 sh -c 'echo x$X'", "", 0, "x1\n"},
		{"quoting", nopw, `sudo -n -- sh -c 'printf "<%s>" "$@"' - 'a b' '' "it's"`, "", 0, "<a b><><it's>"},
		{"exit code", nopw, "sudo -n sh -c 'exit 42'", "", 42, ""},
		{"combined flags", nopw, "sudo -nkHu root id -u", "", 0, "0\n"},
		{"own user", nopw, "sudo -n -u op id -un", "", 0, "op\n"},
		{"unknown user", nopw, "sudo -n -u nobody2 id", "", 1, "unknown user"},
		{"shell", nopw, "sudo -n -s -- id -u", "", 0, "0\n"},
		{"validate", nopw, "sudo -n -v", "", 0, ""},
		{"forget", pw, "sudo -k", "", 0, ""},
		{"-n with a password", pw, "sudo -n true", "", 1, "sudo: a password is required\n"},
		{"no terminal", pw, "sudo true", "secret\n", 1, "a terminal is required to read the password"},
		{"right", pw, "sudo -S -p '' id -u", "secret\n", 0, "0\n"},
		{"rest of stdin is the command's", pw, "sudo -S -p '' cat", "secret\nrest\n", 0, "rest\n"},
		{"prompt", pw, "sudo -S -k -p '[%u] pw: ' true", "secret\n", 0, "[op] pw: "},
		{"default prompt", pw, "sudo -S true", "secret\n", 0, "[sudo] password for op: "},
		{"third time lucky", pw, "sudo -S -p '' id -u", "a\nb\nsecret\n", 0, "0\nSorry, try again.\nSorry, try again.\n"},
		{"three wrong", pw, "sudo -S -p '' id -u", "a\nb\nc\nsecret\n", 1, "sudo: 3 incorrect password attempts"},
		{"one wrong, then the end", pw, "sudo -S -p '' id -u", "a\n", 1, "sudo: 1 incorrect password attempt\n"},
		{"nothing", pw, "sudo -S -p '' id -u", "", 1, "no password was provided"},
		{"sudo's own password", own, "sudo -S -p '' id -u", "sudo's own\n", 0, "0\n"},
		{"not the login's", own, "sudo -S -p '' id -u", "secret\n", 1, "incorrect"},
		{"denied", sshtest.Sudo{}, "sudo -S -p '' id -u", "secret\n", 1, "op is not in the sudoers file"},
		{"denied without asking", sshtest.Sudo{}, "sudo -n id -u", "", 1, "a password is required"},
		{"no terminal, though required", tty, "sudo -S -p '' id -u", "secret\n", 1, "sorry, you must have a tty to run sudo"},
		{"lecture", lecture, "sudo -S -p '' id -u", "secret\n", 0, "usual lecture"},
		{"missing", sshtest.Sudo{Mode: sshtest.SudoMissing}, "sudo -n true", "", 127, "not found"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := sshtest.Start(t, sshtest.Config{Users: []sshtest.User{{Name: "op", Password: "secret", Sudo: c.sudo}}})
			out, code := plainssh.Run(t, dial(t, s, "op"), c.line, c.stdin)
			assert.Equal(t, c.code, code, out)
			assert.Contains(t, out, c.out)
		})
	}
}

func TestSudoOnATerminal(t *testing.T) {
	t.Parallel()
	s := sshtest.Start(t, sshtest.Config{Users: []sshtest.User{{
		Name: "op", Password: "secret", Sudo: sshtest.Sudo{Mode: sshtest.SudoPassword, RequireTTY: true},
	}}})
	c := dial(t, s, "op")
	for _, line := range []string{"sudo -S -p '' id -u", "sudo -p '' id -u"} {
		ss, err := c.NewSession()
		require.NoError(t, err)
		err = ss.RequestPty("dumb", 24, 80, ssh.TerminalModes{ssh.ECHO: 0, ssh.OPOST: 0})
		if err != nil {
			t.Skipf("no terminals on this system: %v", err)
		}
		var out strings.Builder
		ss.Stdin, ss.Stdout = strings.NewReader("secret\n"), &out
		require.NoError(t, ss.Run(line), out.String())
		assert.Equal(t, "0", strings.TrimSpace(out.String()))
	}
	assert.Equal(t, 2, s.Counts().PTYs)
}

// The root folder may be searched for secrets by a test.
func TestPasswordsAreNotOnDisk(t *testing.T) {
	t.Parallel()
	const canary = "canary-4711"
	s := sshtest.Start(t, sshtest.Config{Users: []sshtest.User{{
		Name: "op", Password: canary, Sudo: sshtest.Sudo{Mode: sshtest.SudoPassword},
	}}})
	out, code := plainssh.Run(t, dial(t, s, "op"), `grep -rl canary- "$TRIPOD_ROOT/.." ; env | grep canary- ; sudo -S -p "" true`, canary+"\n")
	assert.Zero(t, code)
	assert.Empty(t, out)
}
