package recipe

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/sshtest"
)

const userPassword = "p w'\"$`\\ é!"

func sudoHost(s sshtest.Sudo) sshtest.Config {
	return sshtest.Config{Users: []sshtest.User{{Name: "ops", Password: userPassword, Sudo: s}}}
}

func TestSudo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		sudo  sshtest.Sudo
		given string // sudo password; empty: the login password
		execs int
		ptys  int
		kind  installer.Kind
		says  string
	}{
		"no password":         {sudo: sshtest.Sudo{Mode: sshtest.SudoNoPassword}, execs: 1},
		"login password":      {sudo: sshtest.Sudo{Mode: sshtest.SudoPassword}, execs: 1},
		"own password":        {sudo: sshtest.Sudo{Mode: sshtest.SudoPassword, Password: "other"}, given: "other", execs: 1},
		"lecture":             {sudo: sshtest.Sudo{Mode: sshtest.SudoPassword, Lecture: true}, execs: 1},
		"requiretty":          {sudo: sshtest.Sudo{Mode: sshtest.SudoPassword, RequireTTY: true}, execs: 2, ptys: 1},
		"requiretty, free":    {sudo: sshtest.Sudo{Mode: sshtest.SudoNoPassword, RequireTTY: true}, execs: 2, ptys: 1},
		"wrong password":      {sudo: sshtest.Sudo{Mode: sshtest.SudoPassword, Password: "other"}, execs: 1, kind: installer.KindSudoDenied, says: "sudo rejected the password (user ops)"},
		"wrong, requiretty":   {sudo: sshtest.Sudo{Mode: sshtest.SudoPassword, Password: "other", RequireTTY: true}, execs: 2, ptys: 1, kind: installer.KindSudoDenied, says: "sudo rejected the password"},
		"not in sudoers":      {sudo: sshtest.Sudo{Mode: sshtest.SudoDenied}, execs: 1, kind: installer.KindSudoDenied, says: "not in sudoers"},
		"no sudo on the host": {sudo: sshtest.Sudo{Mode: sshtest.SudoMissing}, execs: 1, kind: installer.KindSudoDenied, says: "there is neither sudo nor doas"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, sudoHost(c.sudo), "ops").script(counted + "id -u\n")
			b.creds.SudoPassword = installer.NewSecret(c.given)
			_, err := b.work(t.Context())
			counts := b.srv.Counts()
			for _, line := range counts.Execs {
				t.Log(line)
				assert.NotContains(t, line, userPassword)
			}
			if c.kind != "" {
				f := requireKind(t, c.kind, err)
				assert.Contains(t, f.Detail, c.says)
				assert.Equal(t, installer.StepProbe, f.Step)
				t.Log(f.Detail)
			} else {
				require.NoError(t, err)
				assert.Equal(t, "0\n", b.out.String())
				assert.Equal(t, 1, b.runs())
				assert.Empty(t, b.runFolders())
			}
			assert.Len(t, counts.Execs, c.execs)
			assert.Equal(t, c.ptys, counts.PTYs)
			left, err := filepath.Glob(b.srv.Path("tmp", "tripod.*"))
			require.NoError(t, err)
			assert.Empty(t, left, "the user's folder is removed")
		})
	}
}

func TestSudoSurvivesReconnect(t *testing.T) {
	t.Parallel()
	b := newBed(t, sudoHost(sshtest.Sudo{Mode: sshtest.SudoPassword}), "ops").script(slowScript)
	done := b.start(t.Context())
	b.out.awaits(t, "begun\n")
	b.srv.DropAll()
	b.letGo()
	require.NoError(t, <-done)
	assert.Equal(t, 1, b.runs())
	assert.Equal(t, "begun\nended\n", b.out.String())
	left, err := filepath.Glob(b.srv.Path("tmp", "tripod.*"))
	require.NoError(t, err)
	assert.Empty(t, left, "the folder of the first connection neither")
}

func TestSudoNever(t *testing.T) {
	t.Parallel()
	b := newBed(t, sudoHost(sshtest.Sudo{}), "ops").script(counted + "id -u; pwd\n")
	b.inv.Host.Become = installer.BecomeNever
	_, err := b.work(t.Context())
	require.NoError(t, err)
	assert.Contains(t, b.out.String(), "1000\n"+b.srv.Home("ops")+"/.tripod/runs/inv-1")
	assert.Len(t, b.srv.Counts().Execs, 1)
}

func TestLoginShells(t *testing.T) {
	t.Parallel()
	for _, shell := range []string{"bash", "dash", "ksh", "mksh", "zsh", "tcsh", "csh", "fish", "busybox"} {
		t.Run(shell, func(t *testing.T) {
			t.Parallel()
			path, err := exec.LookPath(shell)
			if err != nil {
				t.Skipf("%s is not installed", shell)
			}
			if shell == "busybox" { // is one shell by the name that it is called by
				path = filepath.Join(t.TempDir(), "ash")
				require.NoError(t, os.Symlink("/usr/bin/busybox", path))
			}
			cfg := sudoHost(sshtest.Sudo{Mode: sshtest.SudoPassword})
			cfg.Users[0].Shell = path
			cfg.Users = append(cfg.Users, sshtest.User{Name: "root", Password: "r", Shell: path})
			for _, user := range []string{"root", "ops"} {
				b := newBed(t, cfg, user).script("echo fine\n")
				_, err = b.work(t.Context())
				require.NoError(t, err)
				assert.Equal(t, "fine\n", b.out.String())
			}
		})
	}
}

// TestShellsOnTheHost has every sh that a host may have run our scripts.
func TestShellsOnTheHost(t *testing.T) {
	t.Parallel()
	for _, shell := range []string{"bash", "dash", "busybox sh", "mksh", "zsh"} {
		t.Run(shell, func(t *testing.T) {
			t.Parallel()
			name, args, _ := strings.Cut(shell, " ")
			path, err := exec.LookPath(name)
			if err != nil {
				t.Skipf("%s is not installed", name)
			}
			if name == "zsh" {
				args = "--emulate sh"
			}
			b := newBed(t, sshtest.Config{Shims: map[string]string{"sh": "#!/bin/sh\nexec " + path + " " + args + " \"$@\"\n"}}, "root").script(slowScript)
			done := b.start(t.Context())
			b.out.awaits(t, "begun\n")
			b.srv.DropAll()
			b.letGo()
			require.NoError(t, <-done)
			assert.Equal(t, "begun\nended\n", b.out.String())
			assert.Equal(t, 1, b.runs())
			assert.Empty(t, b.runFolders())
		})
	}
}

func TestNoLoginShell(t *testing.T) {
	t.Parallel()
	nologin := filepath.Join(t.TempDir(), "nologin")
	require.NoError(t, os.WriteFile(nologin, []byte("#!/bin/sh\necho 'This account is currently not available.'; exit 1\n"), 0o700))
	for _, user := range []string{"root", "ops"} {
		b := newBed(t, sshtest.Config{Users: []sshtest.User{{Name: user, Password: "x", Shell: nologin}}}, user).script(counted)
		_, err := b.work(t.Context())
		f := requireKind(t, installer.KindLoginClosed, err)
		assert.Equal(t, "the host accepted the login and ended it (exit code 1): This account is currently not available.", f.Detail)
	}
}

// TestLoginEndedWithoutExitCode: the connection stands, so contact is not lost.
func TestLoginEndedWithoutExitCode(t *testing.T) {
	t.Parallel()
	closes := filepath.Join(t.TempDir(), "closes")
	require.NoError(t, os.WriteFile(closes, []byte("#!/bin/sh\necho 'Maintenance until noon.'; exit 1\n"), 0o700))
	for _, user := range []string{"root", "ops"} {
		b := newBed(t, sshtest.Config{
			Users:  []sshtest.User{{Name: user, Password: "x", Shell: closes}},
			Faults: []sshtest.Fault{{Stage: sshtest.ExitStatus, Action: sshtest.Omit}},
		}, user).script(counted)
		_, err := b.work(t.Context())
		f := requireKind(t, installer.KindLoginClosed, err)
		assert.Equal(t, "the host accepted the login and ended it, without an exit code: Maintenance until noon.", f.Detail)
	}
}

// TestStartUpFileReadsInput: bash runs ~/.bashrc also for commands of sshd's.
func TestStartUpFileReadsInput(t *testing.T) {
	t.Parallel()
	const begins = "#!/bin/sh\n"
	for start, want := range map[string]struct {
		kind installer.Kind
		says string
	}{
		"read -r choice":              {},
		"{ read -r a; read -r b; }":   {},
		"cat":                         {installer.KindLoginClosed, "a start-up file of the login shell (such as ~/.bashrc) reads standard input, and with it the commands"},
		"while read -r x; do :; done": {installer.KindStepTimeout, "the login shell began no command within 1s; perhaps a start-up file (such as ~/.bashrc) reads standard input"},
	} {
		shell := filepath.Join(t.TempDir(), "shell")
		require.NoError(t, os.WriteFile(shell, []byte(begins+start+"\nexec /bin/sh \"$@\"\n"), 0o700))
		for _, user := range []string{"root", "ops"} {
			b := newBed(t, sshtest.Config{Users: []sshtest.User{{Name: user, Password: "x", Shell: shell, Sudo: sshtest.Sudo{Mode: sshtest.SudoPassword}}}}, user).script(counted)
			b.settings = "TRIPOD_SECRET_KEY='CANARY-key'\n"
			if want.kind == installer.KindStepTimeout {
				b.limits.StartUp = time.Second
			}
			_, err := b.work(t.Context())
			if want.kind == "" {
				require.NoError(t, err, "blank lines are sent first: %s", start)
				continue
			}
			f := requireKind(t, want.kind, err)
			assert.Contains(t, f.Detail, want.says, start)
			assert.NotContains(t, f.Detail, "CANARY")
		}
	}
}

func TestChattyLoginShell(t *testing.T) {
	t.Parallel()
	noise := "Welcome!\ntripod: 0123456789abcdef0123456789abcdef host uid=0 kernel=Plan9\n" + strings.Repeat("motd ", 2000)
	cfg := sudoHost(sshtest.Sudo{Mode: sshtest.SudoPassword})
	cfg.ShellNoise, cfg.SFTP = noise, sshtest.SFTPChatty
	b := newBed(t, cfg, "ops").script(counted + "printf 'no line end'\n")
	_, err := b.work(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "no line end", b.out.String())
}
