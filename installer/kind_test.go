package installer_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
)

// Every kind that the code can produce has one row, a step and a hint.
func TestKindsTable(t *testing.T) {
	t.Parallel()
	seen := map[installer.Kind]bool{}
	for _, row := range installer.Kinds() {
		require.False(t, seen[row.Kind], row.Kind)
		seen[row.Kind] = true
		assert.NotEmpty(t, row.Hint, row.Kind)
		assert.NotEmpty(t, row.Step, row.Kind)
		assert.GreaterOrEqual(t, row.Tries, 1, row.Kind)
		assert.Equal(t, row.Tries > 1, row.Pause > 0, row.Kind)
		assert.True(t, row.End().Terminal(), row.Kind)
	}
	assert.Equal(t, 1, installer.KindAuthRejected.Info().Tries, "accounts lock")
	assert.Equal(t, installer.KindInternal, installer.Kind("never heard of").Info().Kind)
	assert.Empty(t, installer.Kind("").Hint())
}
