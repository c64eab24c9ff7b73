package store

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/store/inventory"
	"tripod/store/tasks"
)

// Hosts have long histories: what is open is told by the index, without a look at
// each invocation.
func TestOpenWorkReadsTheIndexOnly(t *testing.T) {
	t.Parallel()
	s := newTest(t, Options{})
	submit(t, s, batch("B1", "h1"))
	done := claim(t, s, t0, "")
	finish(t, s, done, installer.Failed)
	submit(t, s, batch("B2", "h1", "h1", "h2"))
	running := claim(t, s, t0, "")
	open := func(id string) (n int, err error) {
		err = s.Update(t.Context(), func(tx *inventory.Tx) error {
			tx.Put(tasks.TInv, []byte(done.ID), []byte("not read"))
			n = len(tx.OpenOn(project, id))
			return nil
		})
		return n, err
	}
	n, err := open("h1")
	require.NoError(t, err)
	assert.Equal(t, 2, n, "one runs and one waits")
	finish(t, s, running, installer.Failed)
	n, err = open("h1")
	require.NoError(t, err)
	assert.Equal(t, 1, n)
	n, err = open("h3")
	require.NoError(t, err)
	assert.Zero(t, n)
}
