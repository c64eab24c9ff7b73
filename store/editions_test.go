package store

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
)

// known is what is remembered of the host.
func (h *history) known() installer.KnownHost {
	h.t.Helper()
	page, err := h.s.Hosts(h.t.Context(), project, installer.HostFilter{IDs: []string{h.host.ID}})
	require.NoError(h.t, err)
	require.Len(h.t, page.Hosts, 1)
	return page.Hosts[0]
}

// brings is a task with one package.
func brings(kind installer.Type, version string, of installer.Edition) installer.Invocation {
	return installer.Invocation{Type: kind, Spec: installer.Spec{
		Target: installer.TargetTelescope, Packages: []installer.BlobRef{{Version: version, Edition: of}},
	}}
}

// TestEditions follows the edition of what is on a host through the ends of tasks.
func TestEditions(t *testing.T) {
	t.Parallel()
	runs := func(from, to string) installer.Outcome {
		return installer.Outcome{Agent: installer.AgentRunning, CurrentVersion: from, TargetVersion: to, Changed: true}
	}
	for name, c := range map[string]struct {
		then func(h *history) // on a host with 1 of the basic edition
		want string
	}{
		"nothing":   {func(*history) {}, "1 BASIC_VERSION"},
		"an update": {func(h *history) { h.update(installer.Succeeded, runs("1", "2")) }, "2 ADVANCE_VERSION"},
		"an update that failed and brought nothing": {func(h *history) {
			h.update(installer.Failed, installer.Outcome{Agent: installer.AgentRunning, CurrentVersion: "1"})
		}, "1 BASIC_VERSION"},
		"an update that failed, and the version before put back": {func(h *history) {
			h.update(installer.Failed, runs("1", "1"))
		}, "1 BASIC_VERSION"},
		"an update whose agent does not come up": {func(h *history) {
			o := runs("1", "2")
			o.Agent = installer.AgentFault
			h.update(installer.Failed, o)
		}, "2 ADVANCE_VERSION"},
		"an update that left what nobody has sent": {func(h *history) { h.update(installer.Failed, runs("1", "7")) }, "7 "},
		"a retry that finds what the failed task has brought": {func(h *history) {
			h.update(installer.Failed, installer.Outcome{Agent: installer.AgentUnknown, CurrentVersion: "1", Changed: true})
			h.retry(installer.Outcome{Agent: installer.AgentRunning, CurrentVersion: "1", TargetVersion: "2", Skipped: true, Changed: true})
		}, "2 ADVANCE_VERSION"},
		"what was there already": {func(h *history) {
			require.NoError(h.t, h.submit("again", brings(installer.Update, "1", installer.Advance)))
			h.end("again", installer.Succeeded, installer.Outcome{Agent: installer.AgentRunning, CurrentVersion: "1", TargetVersion: "1", Skipped: true})
		}, "1 BASIC_VERSION"},
		"a configuration, with another package of the version that is there": {func(h *history) {
			require.NoError(h.t, h.submit("configure", brings(installer.Update, "1", "")))
			h.end("configure", installer.Succeeded, installer.Outcome{
				Agent: installer.AgentRunning, CurrentVersion: "1", TargetVersion: "1", Changed: true, Configured: true,
			})
		}, "1 BASIC_VERSION"},
		"a rollback": {func(h *history) {
			h.update(installer.Succeeded, runs("1", "2"))
			h.back(installer.Succeeded, runs("2", "1"))
		}, "1 BASIC_VERSION"},
		"a rollback that failed and put it back": {func(h *history) {
			h.update(installer.Succeeded, runs("1", "2"))
			h.back(installer.Failed, runs("2", "1"))
		}, "1 BASIC_VERSION"},
		"a rollback that did nothing": {func(h *history) {
			h.update(installer.Succeeded, runs("1", "2"))
			h.back(installer.Failed, installer.Outcome{Agent: installer.AgentRunning, CurrentVersion: "2"})
		}, "2 ADVANCE_VERSION"},
		"somebody else's update": {func(h *history) { h.look(runs("", "3")) }, "3 "},
		"an uninstall":           {func(h *history) { h.look(installer.Outcome{Agent: installer.AgentNone}) }, " "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHistory(t, newTest(t, Options{}))
			require.NoError(t, h.submit("install", brings(installer.Install, "1", installer.Basic)))
			h.end("install", installer.Succeeded, runs("", "1"))
			c.then(h)
			k := h.known()
			assert.Equal(t, c.want, k.Version+" "+string(k.Edition))
		})
	}
}

func (h *history) update(end installer.State, o installer.Outcome) {
	h.t.Helper()
	require.NoError(h.t, h.submit("update", brings(installer.Update, "2", installer.Advance)))
	h.end("update", end, o)
}

func (h *history) retry(o installer.Outcome) {
	h.t.Helper()
	old := h.read("update")
	require.NoError(h.t, h.submit("retry", installer.RetryOf(&old)))
	h.end("retry", installer.Succeeded, o)
}

func (h *history) back(end installer.State, o installer.Outcome) {
	h.t.Helper()
	require.NoError(h.t, h.rollback("back", "update"))
	h.end("back", end, o)
}

func (h *history) look(o installer.Outcome) {
	h.t.Helper()
	require.NoError(h.t, h.submit("look", installer.Invocation{Type: installer.Install, Spec: installer.Spec{
		Target: installer.TargetTelescope, CheckOnly: true,
	}}))
	h.end("look", installer.Succeeded, o)
}

// TestAgentIsUnknown: a run whose end nobody saw does not take away what was
// verified before it, nor that the host was reached.
func TestAgentIsUnknown(t *testing.T) {
	t.Parallel()
	s := newTest(t, Options{})
	h := newHistory(t, s)
	h.did("install", installer.Install, "", "1")
	h.look(installer.Outcome{Agent: installer.AgentRunning, CurrentVersion: "1", TargetVersion: "1"})
	seen := h.known()
	require.Equal(t, installer.AgentRunning, seen.Agent)
	h.update(installer.Failed, installer.Outcome{Agent: installer.AgentUnknown, CurrentVersion: "1", Changed: true})
	want := seen
	want.Agent = installer.AgentUnknown
	require.Equal(t, want, h.known())

	// Another way is taken for the same host only once it has led there.
	other := item("other", 0, h.host.ID)
	other.Invocation.Host.Endpoint.Address = "10.0.0.9"
	b := batch("other")
	b.Items = []installer.Item{other}
	submit(t, s, b)
	require.Equal(t, h.host.Endpoint, h.known().Endpoint)
}
