package store

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/store/inventory"
	"tripod/store/kv"
	"tripod/store/storetest"
)

// childInventory imports hosts, imports them again with another password, and
// removes them, for ever. Of each host it tells what it is about to be, and what
// it is: the number of its password, or "gone".
func childInventory(s *Store) error {
	ctx := context.Background()
	for n := 0; ; n++ {
		ids := make([]string, 4)
		for i := range ids {
			ids[i] = fmt.Sprintf("R%s-%d-%d", os.Getenv(childRun), n, i)
		}
		tell := func(what, password string, ids ...string) {
			for _, id := range ids {
				fmt.Println(what, id, password)
			}
		}
		for _, some := range [][]string{ids, ids[:2]} {
			password := strconv.Itoa(len(some))
			entries := make([]installer.HostEntry, len(some))
			for i, id := range some {
				entries[i] = known(id, fmt.Sprintf("10.%s.%d.%d", os.Getenv(childRun), n%250, i), password)
			}
			tell("try", password, some...)
			if err := s.RegisterHosts(ctx, project, entries); err != nil {
				return err
			}
			tell("is", password, some...)
		}
		tell("try", "gone", ids[1:3]...)
		if err := s.RemoveHosts(ctx, project, ids[1:3]); err != nil {
			return err
		}
		tell("is", "gone", ids[1:3]...)
	}
}

// TestInventoryKilled: SIGKILL at random moments while the child imports and
// removes. What was acknowledged holds, keys and sealed rows fit together, and
// no key is left without its hosts.
func TestInventoryKilled(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(storetest.Dir(t), "state")
	is, may := map[string]string{}, map[string]string{}
	for round := range killRounds() {
		for f := range tellUntilKilled(t, "inventory", dir, round, 600) {
			switch f[0] {
			case "try":
				may[f[1]] = f[2]
			case "is":
				is[f[1]] = f[2]
				delete(may, f[1])
			}
		}

		s := openTest(t, dir, Options{})
		there := map[string]string{}
		for _, h := range hostsOf(t, s, installer.HostFilter{}) {
			there[h.ID] = passwordOf(t, s, h.ID)
			require.NotEmpty(t, there[h.ID], "the login of %s is lost", h.ID)
			at, err := s.HostAt(t.Context(), project, h.Host)
			require.NoError(t, err)
			require.Equal(t, h.ID, at.ID)
		}
		now := func(id string) string {
			if password, ok := there[id]; ok {
				return password
			}
			return "gone"
		}
		for id, want := range is {
			if attempt, ok := may[id]; ok && now(id) == attempt {
				want = attempt // done, and not told any more
			}
			require.Equal(t, want, now(id), id)
		}
		for id := range may { // decided now
			is[id] = now(id)
		}
		clear(may)
		require.Equal(t, rows(t, s, inventory.TSealed), keyCount(s), "a key without a login, or the other way round")
		require.NoError(t, s.Close())
	}
	assert.NotEmpty(t, is)
}

// rows counts a table's.
func rows(tb testing.TB, s *Store, b kv.Table) (n int) {
	tb.Helper()
	require.NoError(tb, s.View(tb.Context(), func(t *inventory.Tx) error {
		n = 0
		for range t.All(b, nil) {
			n++
		}
		return nil
	}))
	return n
}
