package inventory

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
)

func TestTenThousandHostsAreImportedAtOnce(t *testing.T) {
	t.Parallel()
	s := newTest(t)
	entries := make([]installer.HostEntry, 10_000)
	for i := range entries {
		entries[i] = known(fmt.Sprintf("i-%05d", i), fmt.Sprintf("10.0.%d.%d", i/250, i%250), fmt.Sprint("pw", i))
	}
	password := func(id string) string {
		host, err := s.KnownHost(t.Context(), project, id)
		require.NoError(t, err)
		c, err := s.HostCredentials(t.Context(), project, host)
		require.NoError(t, err)
		return c.Password.Reveal()
	}
	began := time.Now()
	register(t, s, entries...)
	t.Logf("imported in %v", time.Since(began))
	assert.Equal(t, 10_000, s.vault.Count())
	page, err := s.Hosts(t.Context(), project, installer.HostFilter{Offset: 9_990, Limit: 100})
	require.NoError(t, err)
	assert.EqualValues(t, 10_000, page.Count)
	assert.Len(t, page.Hosts, 10)
	assert.Equal(t, "pw4321", password("i-04321"))
	began = time.Now()
	require.NoError(t, s.RemoveHosts(t.Context(), project, []string{"i-04321"}))
	t.Logf("removed in %v", time.Since(began))
	assert.Equal(t, "pw4322", password("i-04322"))
}
