package control_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/api"
	"tripod/installer/control"
	"tripod/installer/plan"
	"tripod/store"
)

// localServer serves a store to the user of its machine.
func localServer(t *testing.T, st control.Store) *httptest.Server {
	t.Helper()
	hub := control.NewHub()
	routes := control.Routes(control.Config{
		Store: st, Hub: hub, Engine: control.NoEngine{}, Planner: plan.NewPlanner(plan.Planner{Store: st}),
	})
	s := httptest.NewServer(api.NewLocal(routes, func(*http.Request) string { return "somebody" }, slog.New(slog.DiscardHandler)))
	t.Cleanup(s.Close)
	t.Cleanup(hub.Close)
	return s
}

func localClient(t *testing.T, s *httptest.Server, project string) *control.Client {
	t.Helper()
	c, err := control.Local(t.Context(), &api.Client{BaseURL: s.URL, HTTP: s.Client()}, project, func() error { return nil })
	require.NoError(t, err)
	return c
}

// TestUserOfTheFolderHasAllProjects, and is named in the audit log; a login has its own
// project, whatever it asks for.
func TestUserOfTheFolderHasAllProjects(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := localServer(t, r.store)
	for _, p := range []string{"p-one", "p-two"} {
		_, err := control.AddToken.Call(t.Context(), localClient(t, s, p), control.Grant{Name: "added", Rights: installer.ReadRights})
		require.NoError(t, err)
	}
	two := localClient(t, s, "p-two")
	all, err := control.ListTokens.Call(t.Context(), two, control.OfProject{})
	require.NoError(t, err)
	assert.Len(t, all, 3, "that of the rig too")
	own, err := control.ListTokens.Call(t.Context(), two, control.OfProject{Project: "p-two"})
	require.NoError(t, err)
	assert.Len(t, own, 1)
	entries, err := control.ListAudit.Call(t.Context(), two, installer.AuditFilter{})
	require.NoError(t, err)
	require.Len(t, entries, 3)
	assert.Equal(t, "user somebody", entries[2].By)
	entries, err = control.ListAudit.Call(t.Context(), two, installer.AuditFilter{Project: "p-two"})
	require.NoError(t, err)
	assert.Len(t, entries, 1)
	_, err = control.PruneAudit.Call(t.Context(), two, control.Before{Before: entries[0].At})
	require.NoError(t, err)

	_, err = control.ListBatches.Call(t.Context(), localClient(t, s, "no/project"), control.Newest{Limit: 1})
	require.Error(t, err)

	all, err = control.ListTokens.Call(t.Context(), r.client, control.OfProject{})
	require.NoError(t, err)
	assert.Len(t, all, 2, "from afar: its own project's")
	keys, err := control.ListKeys.Call(t.Context(), r.client, control.OfProject{})
	require.NoError(t, err)
	assert.Empty(t, keys)
	entries, err = control.ListAudit.Call(t.Context(), r.client, installer.AuditFilter{})
	require.NoError(t, err)
	for _, e := range entries {
		assert.Equal(t, project, e.Project)
	}
}

// fullDisk takes nothing.
type fullDisk struct{ *store.Store }

func (fullDisk) ForgetKeys(context.Context, string, string) (int, error) {
	return 0, fmt.Errorf("%w: forgetting: %w", installer.ErrStorage, syscall.ENOSPC)
}

func (fullDisk) Log(context.Context, string, string) (io.ReadCloser, error) {
	return nil, fmt.Errorf("the log is torn")
}

// TestLocalErrorsTellTheirCause, at once: the disk will not be better soon.
func TestLocalErrorsTellTheirCause(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	c := localClient(t, localServer(t, fullDisk{r.store}), project)
	c.Patience = 0
	_, err := control.ForgetKeys.Call(t.Context(), c, control.ID{ID: "10.0.0.1:22"})
	require.EqualError(t, err, "storage error: forgetting: no space left on device")
	require.ErrorIs(t, err, installer.ErrStorage)
	require.ErrorIs(t, err, syscall.ENOSPC)
	_, err = c.Log(t.Context(), "x")
	require.EqualError(t, err, "the log is torn")
}

// TestLongNamesAreCut: what is for people alone, a command line of many ids or a long
// path, is no reason to refuse the work.
func TestLongNamesAreCut(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	long := strings.Repeat("ü", 300)
	b := request(1)
	b.Source = long
	_, err := r.client.Submit(t.Context(), b)
	require.NoError(t, err)
	head, err := control.GetBatch.Call(t.Context(), r.client, control.ID{ID: b.BatchID})
	require.NoError(t, err)
	assert.Equal(t, long[:2*255]+"…", head.Source)
	entry := installer.HostEntry{Where: long, Host: b.Hosts[0].Host, Credentials: b.Hosts[0].Credentials}
	require.NoError(t, r.addHosts([]installer.HostEntry{entry}))
}
