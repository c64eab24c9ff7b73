package store

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/store/inventory"
	"tripod/store/storetest"
)

// childForget does tasks on four hosts and removes two of them, one after the other,
// for ever. It tells what each host's login is about to be, and is: "kept" or "gone".
func childForget(s *Store) error {
	ctx := context.Background()
	for n := 0; ; n++ {
		id := fmt.Sprintf("F%s-%d", os.Getenv(childRun), n)
		b := batch(id)
		for i := range 4 {
			it := item(id, i, fmt.Sprintf("%s-h%d", id, i))
			it.Invocation.Host.Address = fmt.Sprintf("10.%s.%d.%d", os.Getenv(childRun), n%250, i)
			b.Items = append(b.Items, it)
		}
		if err := s.Submit(ctx, b); err != nil {
			return err
		}
		for range b.Items {
			inv, _, err := s.Claim(ctx, time.Now(), installer.ClaimFilter{BatchID: id})
			if err != nil {
				return err
			}
			if err := s.Finish(ctx, inv.Ref(), installer.Transition{State: installer.Failed, EndAttempt: true, At: time.Now()}); err != nil {
				return err
			}
			fmt.Println("is", inv.ID, "kept")
		}
		for _, it := range b.Items[1:3] {
			fmt.Println("try", it.Invocation.ID, "gone")
			if err := s.RemoveHosts(ctx, project, []string{it.Invocation.Host.ID}); err != nil {
				return err
			}
			fmt.Println("is", it.Invocation.ID, "gone")
		}
	}
}

// TestForgetKilled: SIGKILL at random moments while the child removes hosts that have
// tasks in a batch with others. No other login is lost, those that are gone are
// gone, and so are their keys. (vault.TestKilledAtEveryWrite does so at each write.)
func TestForgetKilled(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(storetest.Dir(t), "state")
	is := map[string]string{}
	for round := range killRounds() {
		trying := ""
		for f := range tellUntilKilled(t, "forget", dir, round, 300) {
			switch f[0] {
			case "try":
				trying = f[1]
			case "is":
				is[f[1]], trying = f[2], ""
			}
		}

		s := openTest(t, dir, Options{Clock: time.Now})
		for id, want := range is {
			inv, err := s.Invocation(t.Context(), project, id)
			require.NoError(t, err)
			c, err := s.Credentials(t.Context(), &inv)
			now := "kept"
			if isMissing(err) {
				now = "gone"
			} else {
				require.NoError(t, err)
				require.Equal(t, "pw-"+inv.Host.ID, c.Password.Reveal())
			}
			if id == trying {
				is[id], want = now, now // done or not, and not told any more
			}
			require.Equal(t, want, now, id)
		}
		assert.Equal(t, rows(t, s, inventory.TSealed), keyCount(s))
		require.NoError(t, s.Close())
	}
	assert.NotEmpty(t, is)
}
