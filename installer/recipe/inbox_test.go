package recipe

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer/sshtest"
)

// inboxes are the folders that are left.
func (b *bed) inboxes() []string {
	b.t.Helper()
	left, err := filepath.Glob(b.srv.Path("*", "tmp", "tripod-in.*"))
	require.NoError(b.t, err)
	more, err := filepath.Glob(b.srv.Path("tmp", "tripod-in.*"))
	require.NoError(b.t, err)
	return append(left, more...)
}

// TestInboxOfOthers: what others put where root makes folders for uploads, is neither used nor touched.
func TestInboxOfOthers(t *testing.T) {
	t.Parallel()
	b := newBed(t, sudoHost(sshtest.Sudo{Mode: sshtest.SudoPassword}), "ops").script(counted + strings.Repeat("# padding\n", 30000))
	victim := b.srv.Path("victim")
	require.NoError(t, os.MkdirAll(victim+"/in", 0o711))
	require.NoError(t, os.Chmod(victim, 0o711))
	kept := []string{victim + "/.a.tmp", victim + "/in/.a.tmp"}
	for _, file := range kept {
		require.NoError(t, os.WriteFile(file, nil, 0o600))
	}
	for _, name := range []string{"var/tmp/tripod-in.inv-1", "var/tmp/tripod-in.inv-1.X", "tmp/tripod-in.inv-1.X"} {
		require.NoError(t, os.Symlink(victim, b.srv.Path(name)))
	}
	require.NoError(t, os.Mkdir(b.srv.Path("tmp/tripod-in.inv-1"), 0o755))
	_, err := b.work(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 1, b.runs())
	assert.Len(t, b.inboxes(), 4, "ours are removed")
	for _, file := range kept {
		assert.FileExists(t, file)
	}
}

// TestCutOffAfterTheFilesCame: the connection breaks when the host has put the files in place, and before it
// has started anything.
func TestCutOffAfterTheFilesCame(t *testing.T) {
	t.Parallel()
	for _, user := range []string{"root", "ops"} {
		t.Run(user, func(t *testing.T) {
			t.Parallel()
			cfg := sudoHost(sshtest.Sudo{Mode: sshtest.SudoPassword})
			cfg.Users = append(cfg.Users, sshtest.User{Name: "root", Password: "r"})
			cfg.Shims = map[string]string{"flock": "#!/bin/sh\nif mkdir \"$TRIPOD_ROOT/once\" 2>/dev/null; then kill -9 $PPID; exit 1; fi\nexec /usr/bin/flock \"$@\"\n"}
			b := newBed(t, cfg, user).script(counted + strings.Repeat("# padding\n", 30000))
			_, err := b.work(t.Context())
			require.NoError(t, err)
			assert.Equal(t, 1, b.runs())
			assert.Equal(t, 1, b.srv.Counts().SFTPs, "sent once")
			assert.Empty(t, b.inboxes())
		})
	}
}

// TestOneSessionAtATime: a server that allows one session gets the conversation and the upload one after the other.
func TestOneSessionAtATime(t *testing.T) {
	t.Parallel()
	for _, sftp := range []sshtest.SFTP{sshtest.SFTPOn, sshtest.SFTPOff} {
		for _, user := range []string{"root", "ops"} {
			t.Run(user+" sftp="+string(sftp), func(t *testing.T) {
				t.Parallel()
				cfg := sudoHost(sshtest.Sudo{Mode: sshtest.SudoPassword})
				cfg.Users = append(cfg.Users, sshtest.User{Name: "root", Password: "r"})
				cfg.MaxSessions, cfg.SFTP = 1, sftp
				b := newBed(t, cfg, user).script(counted + strings.Repeat("# padding\n", 30000))
				_, err := b.work(t.Context())
				require.NoError(t, err)
				assert.Equal(t, 1, b.runs())
				assert.Empty(t, b.inboxes())
			})
		}
	}
}

// TestInboxOfAKilledProcess is removed by the one that goes on.
func TestInboxOfAKilledProcess(t *testing.T) {
	t.Parallel()
	b := newBed(t, sudoHost(sshtest.Sudo{Mode: sshtest.SudoPassword}), "ops").script(counted + strings.Repeat("# padding\n", 30000))
	b.dieAt("stage", true)
	require.Len(t, b.inboxes(), 1)
	_, err := b.work(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 1, b.runs())
	assert.Empty(t, b.inboxes())
}

// TestStartUpFileReadsWhatIsSent: a large file gets there without SFTP too, where a start-up file reads lines.
func TestStartUpFileReadsWhatIsSent(t *testing.T) {
	t.Parallel()
	shell := filepath.Join(t.TempDir(), "shell")
	require.NoError(t, os.WriteFile(shell, []byte("#!/bin/sh\nread -r choice\nexec /bin/sh \"$@\"\n"), 0o700))
	b := newBed(t, sshtest.Config{SFTP: sshtest.SFTPOff, Users: []sshtest.User{{Name: "root", Password: "r", Shell: shell}}}, "root")
	_, err := b.script(counted + strings.Repeat("# padding\n", 30000)).work(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 1, b.runs())
}
