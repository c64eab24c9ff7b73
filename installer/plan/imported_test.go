package plan_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/plan"
)

// TestTasksOfHostsImportedSince: a host that joined by itself, and was imported under an id of its own
// after that, is found by the ids of its tasks too, and its imported login is used.
func TestTasksOfHostsImportedSince(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		task        installer.Type
		fail        []string
		byBatch     bool
		interactive bool
		login       func(*plan.Request)
	}{
		"rollback of a batch":         {task: installer.Rollback, byBatch: true, interactive: true},
		"rollback of an invocation":   {task: installer.Rollback, interactive: true},
		"rollback by the API":         {task: installer.Rollback},
		"retry of a batch":            {task: installer.Retry, fail: []string{"10.0.0.1"}, byBatch: true, interactive: true},
		"retry of an invocation":      {task: installer.Retry, fail: []string{"10.0.0.1"}, interactive: true},
		"retry by the API":            {task: installer.Retry, fail: []string{"10.0.0.1"}},
		"retry with a login, by file": {task: installer.Retry, fail: []string{"10.0.0.1"}, byBatch: true, interactive: true, login: givenFor("i-1")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			first := r.submit(install(1))
			r.ends(c.fail...)
			require.NoError(t, r.store.RegisterHosts(t.Context(), project, importedAs("i-1", "imported")))
			req := plan.Request{Project: project, Task: c.task, Interactive: c.interactive, Of: []string{first.Items[0].Invocation.ID}}
			if c.byBatch {
				req.Of = []string{first.BatchID}
			}
			want := "imported"
			if c.login != nil {
				c.login(&req)
				want = "typed"
			}
			p := r.submit(req)
			require.Equal(t, []plan.Standing{plan.New}, standings(p), "%v", p.Items[0].Refused)
			assert.Equal(t, "i-1", p.Items[0].Invocation.Host.ID)
			creds, err := r.store.Credentials(t.Context(), &p.Items[0].Invocation)
			require.NoError(t, err)
			assert.Equal(t, want, creds.Password.Reveal())

			// While it is open, and when it has ended, there is no second one.
			req.BatchID = ""
			second := map[bool]plan.Standing{true: plan.Open, false: plan.Refused}[c.interactive]
			assert.Equal(t, []plan.Standing{second}, standings(r.submit(req)))
			r.ends()
			if c.interactive && c.byBatch {
				assert.Equal(t, []plan.Standing{plan.Done}, standings(r.submit(req)))
			}
			page, err := r.store.Hosts(t.Context(), project, installer.HostFilter{})
			require.NoError(t, err)
			assert.EqualValues(t, 1, page.Count, "it is one host")
		})
	}
}

func importedAs(id, secret string) []installer.HostEntry {
	all := hosts(1)
	all[0].Host.ID, all[0].Credentials = id, password(secret)
	return all
}

func givenFor(id string) func(*plan.Request) {
	return func(req *plan.Request) { req.Hosts = importedAs(id, "typed") }
}
