package store

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
)

// TestListLoadsOnlyItsPage: what is not on the page is counted from the index
// and never decoded, however long the list is and however deep the page.
func TestListLoadsOnlyItsPage(t *testing.T) {
	s := newTest(t, Options{})
	perPage := func(f installer.Filter) float64 {
		f.ProjectID, f.Limit = project, 10
		return testing.AllocsPerRun(20, func() {
			page, err := s.Invocations(t.Context(), f)
			require.NoError(t, err)
			require.Len(t, page.Invocations, 10)
		})
	}
	submit(t, s, batch("B0", hostNames(100)...))
	short := perPage(installer.Filter{})
	for n := range 10 {
		submit(t, s, batch(fmt.Sprintf("C%02d", n), hostNames(100)...))
	}
	for _, f := range []installer.Filter{
		{}, {Offset: 500}, {Offset: 1_090},
		{State: installer.Pending}, {State: installer.Pending, Offset: 1_090},
		{TasksOnly: true}, {TasksOnly: true, Offset: 1_090},
		{InstanceType: installer.ECS, Type: installer.RemoteInstall, Offset: 1_090},
	} {
		assert.InDelta(t, short, perPage(f), short/2, "offset %d", f.Offset)
	}
}
