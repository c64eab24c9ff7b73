package inventory

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
)

func TestHostFilter(t *testing.T) {
	t.Parallel()
	s := newTest(t)
	entries := []installer.HostEntry{known("a", "10.0.0.1", ""), known("b", "10.0.0.2", ""), known("c", "10.0.0.3", ""), known("d", "10.0.0.4", "")}
	entries[1].Host.Labels = map[string]string{"env": "test", "x": ""}
	entries[3].Host.Labels = nil
	register(t, s, entries...)
	require.NoError(t, s.RegisterHosts(t.Context(), "other", entries[:1]))
	for _, row := range []struct {
		f     installer.HostFilter
		want  string
		count int64
	}{
		{installer.HostFilter{}, "abcd", 4},
		{installer.HostFilter{Offset: 1, Limit: 2}, "bc", 4},
		{installer.HostFilter{Offset: 9}, "", 4},
		{installer.HostFilter{IDs: []string{"d", "zz", "a", "d"}}, "ad", 2},
		{installer.HostFilter{IDs: []string{}}, "", 0},
		{installer.HostFilter{Labels: map[string]string{"env": ""}}, "abc", 3},
		{installer.HostFilter{Labels: map[string]string{"env": "prod"}, Offset: 1}, "c", 2},
		{installer.HostFilter{Labels: map[string]string{"env": "test", "x": ""}}, "b", 1},
		{installer.HostFilter{Labels: map[string]string{"env": "prod", "x": ""}}, "", 0},
	} {
		page, err := s.Hosts(t.Context(), project, row.f)
		require.NoError(t, err)
		got := ""
		for _, h := range page.Hosts {
			got += h.ID
		}
		assert.Equal(t, row.want, got, "%+v", row.f)
		assert.Equal(t, row.count, page.Count, "%+v", row.f)
	}
}
