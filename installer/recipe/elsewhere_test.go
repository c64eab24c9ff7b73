package recipe

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
)

// besides is another Tripod that works on the same host, with a store of its own.
func (tr *tripod) besides() *tripod {
	tr.t.Helper()
	other := *tr
	other.dir = tr.t.TempDir() + "/state"
	other.store = openStore(tr.t, other.dir)
	tr.t.Cleanup(func() { assert.NoError(tr.t, other.store.Close()) })
	return &other
}

// TestRollbackOfWhatAnotherTripodReplaced: the host itself tells that a later task has
// changed it, of which this Tripod knows nothing, and is left as it is.
func TestRollbackOfWhatAnotherTripodReplaced(t *testing.T) {
	t.Parallel()
	tr := newTripod(t)
	other := tr.besides()
	tr.succeeds("install", installer.Invocation{Type: installer.Install, Spec: tr.packages("1.0.0")})
	update := tr.succeeds("update", installer.Invocation{Type: installer.Update, Spec: tr.packages("2.0.0")})
	other.succeeds("other-1", installer.Invocation{Type: installer.Update, Spec: tr.packages("1.0.0")})
	other.succeeds("other-2", installer.Invocation{Type: installer.Update, Spec: tr.packages("2.0.0")})

	back := tr.do("back", installer.RollbackOf(update))
	require.Equal(t, installer.Failed, back.State, "1.0.0 is kept, but not as what the UPDATE has replaced")
	assert.Equal(t, installer.KindSuperseded, back.Kind)
	assert.Contains(t, back.Message, "other-2")
	assert.Equal(t, installer.Succeeded, tr.read("update").State)
	assert.Equal(t, 2, tr.agents())
}

// TestUninstallOfWhatAnotherTripodReplaced: where nothing is kept, the version tells.
func TestUninstallOfWhatAnotherTripodReplaced(t *testing.T) {
	t.Parallel()
	tr := newTripod(t)
	other := tr.besides()
	install := tr.succeeds("install", installer.Invocation{Type: installer.Install, Spec: tr.packages("1.0.0")})
	update := other.succeeds("update", installer.Invocation{Type: installer.Update, Spec: tr.packages("2.0.0")})
	back := tr.do("back", installer.RollbackOf(install))
	require.Equal(t, installer.Failed, back.State)
	assert.Equal(t, installer.KindSuperseded, back.Kind)
	assert.Equal(t, 2, tr.agents())
	other.succeeds("undone", installer.RollbackOf(update))
	tr.succeeds("back-2", installer.RollbackOf(install))
	assert.Zero(t, tr.agents())
}
