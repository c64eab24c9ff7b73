package hostshell

import (
	"bytes"
	"context"
	"io"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tripod/installer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// spyConn keeps the commands that it is given.
type spyConn struct {
	commands []installer.Command
	stdin    []string
}

func (c *spyConn) Exec(_ context.Context, cmd installer.Command) (int, error) {
	var in []byte
	if cmd.Stdin != nil {
		if cmd.PTY { // sudo asks twice
			_, _ = cmd.Stdout.Write([]byte(sudoPrompt[:3]))
			_, _ = cmd.Stdout.Write([]byte(sudoPrompt[3:] + "\nSorry, try again.\n" + sudoPrompt))
		}
		in, _ = io.ReadAll(cmd.Stdin)
	}
	c.commands, c.stdin = append(c.commands, cmd), append(c.stdin, string(in))
	return 0, nil
}

// TestCommandLines pins the exact strings that are sent to hosts.
func TestCommandLines(t *testing.T) {
	t.Parallel()
	const folder = "/tmp/tripod.0a"
	secret := installer.NewSecret("s3cret 'word'")
	for name, c := range map[string]struct {
		rights   Rights
		password installer.Secret
		line     string
		stdin    string // empty: not compared
		pty      bool
	}{
		"root":                        {LoginRights, secret, "exec sh -s kill root=/r id=i", "", false},
		"sudo, free":                  {FreeSudo, secret, "exec sudo -n sh /tmp/tripod.0a/host.sh kill root=/r id=i", "", false},
		"sudo, password":              {PasswordSudo, secret, "exec sudo -k -S -p '' sh /tmp/tripod.0a/host.sh kill root=/r id=i", "s3cret 'word'\n", false},
		"sudo, terminal":              {TerminalSudo, secret, "exec sudo -k -S -p tripod-asks: sh /tmp/tripod.0a/host.sh kill root=/r id=i", "s3cret 'word'\n", true},
		"sudo, terminal, no password": {TerminalSudo, installer.Secret{}, "exec sudo -n sh /tmp/tripod.0a/host.sh kill root=/r id=i", "", true},
	} {
		conn := &spyConn{}
		h := &Shell{conn: conn, nonce: testNonce, Rights: c.rights, Folder: folder, password: c.password}
		_, err := h.Run(t.Context(), nil, nil, KillFiles, "kill", "root=/r", "id=i")
		require.NoError(t, err)
		assert.Equal(t, c.line, conn.commands[0].Line, name)
		assert.Equal(t, c.pty, conn.commands[0].PTY, name)
		if c.stdin != "" {
			assert.Equal(t, c.stdin, conn.stdin[0], name)
		}
		if c.rights == LoginRights {
			assert.True(t, strings.HasSuffix(conn.stdin[0], "\nmain \"$@\" </dev/null\nexit\n"), "what is cut short runs nothing")
			assert.NotContains(t, conn.stdin[0], "s3cret")
		}
	}

	conn := &spyConn{}
	h := &Shell{conn: conn, nonce: testNonce, Folder: folder, password: secret, settings: "A='it''s'\n"}
	_, err := h.Enter(t.Context(), nil, "id=i")
	require.NoError(t, err)
	require.NoError(t, h.Leave(t.Context()))
	assert.Equal(t, "exec sh -s enter id=i", conn.commands[0].Line)
	assert.Equal(t, "exec sh -s leave dir=/tmp/tripod.0a", conn.commands[1].Line)
	assert.NotContains(t, strings.Join(conn.stdin, ""), "s3cret")
}

func TestCommandLineRefusesWhatShellsRead(t *testing.T) {
	t.Parallel()
	for _, word := range []string{"", " ", "a b", "a;b", "$(x)", "`x`", "a'b", `a"b`, "a\nb", "a\\b", "*", "?", "~", "!x", "#", "=x", "%x", "a>b", "é", "\x00"} {
		_, err := commandLine(startScript, word)
		assert.Error(t, err, "%q", word)
	}
}

// TestTextsAreShell has the texts that are sent read by the shells at hand.
func TestTextsAreShell(t *testing.T) {
	t.Parallel()
	conn := &spyConn{}
	h := &Shell{conn: conn, nonce: testNonce, Folder: "/tmp/tripod.0a", settings: "A='x'\n"}
	_, err := h.Enter(t.Context(), nil, "id=i")
	require.NoError(t, err)
	for _, files := range [][]string{ProbeFiles, RunFiles, AttachFiles, KillFiles, VerifyFiles, CleanFiles, allFiles} {
		_, err := h.Run(t.Context(), nil, nil, files, "kill")
		require.NoError(t, err)
	}
	for _, shell := range [][]string{{"dash", "-n"}, {"bash", "-n"}, {"busybox", "sh", "-n"}, {"shellcheck", "-s", "sh", "-e", "SC2154,SC2034,SC2329,SC2317", "-"}} {
		if _, err := exec.LookPath(shell[0]); err != nil {
			t.Logf("%s is not installed", shell[0])
			continue
		}
		for _, text := range conn.stdin {
			if shell[0] == "shellcheck" && strings.Contains(text, "put_agent() {") {
				continue // checked as the files that they are, and slow here
			}
			cmd := exec.Command(shell[0], shell[1:]...)
			cmd.Stdin = strings.NewReader(text)
			var out bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &out
			assert.NoError(t, cmd.Run(), "%s: %s", shell[0], out.String())
		}
	}
}
