package store

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
)

// TestKeepRuleIsTheBatchs: how long a batch's credentials are kept was said when it
// was submitted. A process with another rule neither erases them earlier nor keeps
// them longer, whether it ends the batch or only looks after it.
func TestKeepRuleIsTheBatchs(t *testing.T) {
	t.Parallel()
	day := 24 * time.Hour
	daemon, tool, all := Options{KeepSucceeded: day, KeepOther: day}, Options{KeepOther: day}, Options{KeepSucceeded: 1000 * day, KeepOther: 1000 * day}
	for name, row := range map[string]struct {
		submitted, later Options
		end              installer.State
		keep             time.Duration
	}{
		"the daemon's, the tool comes":              {daemon, tool, installer.Succeeded, day},
		"the daemon's, started again with --keep 0": {daemon, Options{}, installer.Failed, day},
		"forgotten, and --keep 24h comes":           {Options{}, daemon, installer.Failed, 0},
		"the tool's, and --keep 24h comes":          {tool, daemon, installer.Succeeded, 0},
		"the tool's failed one":                     {tool, Options{}, installer.Failed, day},
		"a command that keeps all":                  {daemon, all, installer.Canceled, day},
	} {
		for _, endsIt := range []bool{true, false} { // the later process ends the batch
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				row, now := row, t0
				clock := func() time.Time { return now }
				row.submitted.Clock, row.later.Clock = clock, clock
				dir := filepath.Join(fastDir(t), "state")
				s, err := Open(dir, row.submitted)
				require.NoError(t, err)
				submit(t, s, batch("B1", "h1"))
				if !endsIt {
					finish(t, s, claim(t, s, t0, ""), row.end)
				}
				require.NoError(t, s.Close())
				s = openTest(t, dir, row.later)
				if endsIt {
					finish(t, s, claim(t, s, t0, ""), row.end)
				}
				next, err := s.NextPurge(t.Context())
				require.NoError(t, err)
				if row.keep > 0 {
					assert.True(t, next.Equal(t0.Add(row.keep)), "%v", next)
					now = t0.Add(row.keep - 1)
					require.NoError(t, s.Purge(t.Context(), now))
					assert.Equal(t, "pw-h1", passwordOf(t, s, "h1"))
					assert.True(t, hostsOf(t, s, installer.HostFilter{})[0].Login)
					now = t0.Add(row.keep)
					assert.Empty(t, passwordOf(t, s, "h1"), "its time is over, whether it is erased yet or not")
					assert.False(t, hostsOf(t, s, installer.HostFilter{})[0].Login)
					require.NoError(t, s.Purge(t.Context(), now))
				} else {
					assert.Zero(t, next)
				}
				assert.Empty(t, passwordOf(t, s, "h1"))
				assert.Zero(t, keyFiles(t, s))
			})
		}
	}
}

// A batch that an older tripod stored has no rule: the process's counts, as it
// did then.
func TestBatchesWithoutAKeepRule(t *testing.T) {
	t.Parallel()
	s := newTest(t, Options{KeepOther: time.Hour})
	submit(t, s, batch("B1", "h1"))
	require.NoError(t, s.update(t.Context(), func(t *tx) error {
		h, err := t.head("B1")
		if err != nil {
			return err
		}
		t.putRow(bHeads, []byte("B1"), 1, h)
		return nil
	}))
	finish(t, s, claim(t, s, t0, ""), installer.Failed)
	require.NoError(t, s.Purge(t.Context(), t0.Add(time.Hour-1)))
	assert.Equal(t, "pw-h1", passwordOf(t, s, "h1"))
	require.NoError(t, s.Purge(t.Context(), t0.Add(time.Hour)))
	assert.Empty(t, passwordOf(t, s, "h1"))
}

// TestC09RemovedHostsKeyIsGone: the key of a batch goes when one of its hosts is to
// be forgotten; the others' logins are sealed anew, also while they are at work.
func TestC09RemovedHostsKeyIsGone(t *testing.T) {
	t.Parallel()
	for name, forget := range map[string]func(*testing.T, *Store){
		"removed": func(t *testing.T, s *Store) {
			require.NoError(t, s.RemoveHosts(t.Context(), project, []string{"h1"}))
		},
		"moved": func(t *testing.T, s *Store) { register(t, s, known("h1", "10.0.0.99", "")) },
		"gave way": func(t *testing.T, s *Store) {
			register(t, s, known("i-1", "10.0.0.11", ""))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(fastDir(t), "state")
			o := Options{KeepSucceeded: time.Hour, KeepOther: time.Hour}
			s := openTest(t, dir, o)
			b := batch("B1", "h1", "h2", "h3")
			for i := range b.Items {
				b.Items[i].Invocation.Host.Address = "10.0.0.1" + string(rune('1'+i))
			}
			submit(t, s, b)
			first := claim(t, s, t0, "")
			finish(t, s, first, installer.Failed)
			second := claim(t, s, t0, "")
			yesterday, err := os.ReadFile(s.path(dbName))
			require.NoError(t, err)
			forget(t, s)
			requireMissing(t, s, first)
			c, err := s.Credentials(t.Context(), second)
			require.NoError(t, err)
			assert.Equal(t, "pw-h2", c.Password.Reveal())
			require.NoError(t, s.RefreshCredentials(t.Context(), "B1", map[string]installer.Credentials{
				"B1-0002": {Login: installer.Login{Password: secret("fresh")}},
			}))
			require.NoError(t, s.Close())

			s, err = Open(dir, o)
			require.NoError(t, err)
			assert.Equal(t, 1, keyFiles(t, s))
			third := claim(t, s, t0, "")
			c, err = s.Credentials(t.Context(), third)
			require.NoError(t, err)
			assert.Equal(t, "fresh", c.Password.Reveal())
			require.NoError(t, s.Close())
			now, err := os.ReadFile(filepath.Join(dir, dbName))
			require.NoError(t, err)

			require.NoError(t, os.WriteFile(filepath.Join(dir, dbName), yesterday, 0o600))
			keys := copyOf(t, filepath.Join(dir, epochsDir)) // opening erases what it does not know
			s, err = Open(dir, o)
			require.NoError(t, err)
			requireMissing(t, s, first)
			require.NoError(t, s.Close())
			require.NoError(t, os.RemoveAll(filepath.Join(dir, epochsDir)))
			require.NoError(t, os.Rename(keys, filepath.Join(dir, epochsDir)))

			// All of it goes when its time is over.
			require.NoError(t, os.WriteFile(filepath.Join(dir, dbName), now, 0o600))
			s = openTest(t, dir, o)
			orphans, err := s.Orphans(t.Context())
			require.NoError(t, err)
			for i := range orphans {
				finish(t, s, &orphans[i], installer.Failed)
			}
			require.NoError(t, s.Purge(t.Context(), t0.Add(time.Hour)))
			assert.Zero(t, keyFiles(t, s))
		})
	}
}

// copyOf copies a folder of files.
func copyOf(t *testing.T, dir string) string {
	t.Helper()
	to := dir + "-copy"
	require.NoError(t, os.CopyFS(to, os.DirFS(dir)))
	require.NoError(t, os.Chmod(to, 0o700))
	files, err := os.ReadDir(to)
	require.NoError(t, err)
	for _, f := range files {
		require.NoError(t, os.Chmod(filepath.Join(to, f.Name()), 0o600))
	}
	return to
}

// A crash between the commit and the destruction of the old key, and one before
// the commit, are made good by the next start.
func TestRekeyCutShort(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(fastDir(t), "state")
	o := Options{KeepSucceeded: time.Hour, KeepOther: time.Hour}
	s := openTest(t, dir, o)
	submit(t, s, batch("B1", "h1", "h2"))
	finish(t, s, claim(t, s, t0, ""), installer.Failed)
	finish(t, s, claim(t, s, t0, ""), installer.Failed)
	first, err := os.ReadFile(s.path(epochsDir, "B1.key"))
	require.NoError(t, err)
	require.NoError(t, s.RemoveHosts(t.Context(), project, []string{"h1"}))
	require.NoError(t, os.WriteFile(s.path(epochsDir, "B1.key"), first, 0o600))
	require.NoError(t, os.WriteFile(s.path(epochsDir, "again-0123456789abcdef.key"), bytes.Repeat([]byte{1}, 72), 0o600))
	require.NoError(t, s.Close())
	s = openTest(t, dir, o)
	assert.Equal(t, 1, keyFiles(t, s))
	assert.NoFileExists(t, s.path(epochsDir, "B1.key"))
	assert.Equal(t, "pw-h2", passwordOf(t, s, "h2"))
}
