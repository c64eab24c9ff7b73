package store

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/store/storetest"
	"tripod/store/vault"
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
				dir := filepath.Join(storetest.Dir(t), "state")
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
				assert.Zero(t, keyCount(s))
			})
		}
	}
}

// TestC09RemovedHostsKeyIsGone: the login of a host is forgotten when the host is,
// before its batch's time is over; those of the others of the batch stay.
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
			dir := filepath.Join(storetest.Dir(t), "state")
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
			assert.Equal(t, 2, keyCount(s))
			third := claim(t, s, t0, "")
			c, err = s.Credentials(t.Context(), third)
			require.NoError(t, err)
			assert.Equal(t, "fresh", c.Password.Reveal())
			require.NoError(t, s.Close())
			now, err := os.ReadFile(filepath.Join(dir, dbName))
			require.NoError(t, err)

			// Yesterday's copy of the database, and the keys of now.
			keys, err := os.ReadFile(filepath.Join(dir, vault.KeysName))
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(dir, dbName), yesterday, 0o600))
			s, err = Open(dir, o)
			require.NoError(t, err)
			requireMissing(t, s, first)
			c, err = s.Credentials(t.Context(), second)
			require.NoError(t, err)
			assert.Equal(t, "pw-h2", c.Password.Reveal())
			require.NoError(t, s.Close())
			require.NoError(t, os.WriteFile(filepath.Join(dir, vault.KeysName), keys, 0o600)) // opening erases what it does not know

			// All of it goes when its time is over.
			require.NoError(t, os.WriteFile(filepath.Join(dir, dbName), now, 0o600))
			s = openTest(t, dir, o)
			orphans, err := s.Orphans(t.Context())
			require.NoError(t, err)
			for i := range orphans {
				finish(t, s, &orphans[i], installer.Failed)
			}
			require.NoError(t, s.Purge(t.Context(), t0.Add(time.Hour)))
			assert.Zero(t, keyCount(s))
		})
	}
}
