package api_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"

	"tripod/installer"
	"tripod/installer/api"
)

func TestItemOf(t *testing.T) {
	t.Parallel()
	created := time.UnixMilli(1700000000123)
	for _, tc := range []struct {
		name                 string
		inv                  installer.Invocation
		current, target, msg string
	}{
		{"new", installer.Invocation{State: installer.Pending}, "unknown", "unknown", "waiting"},
		{"wanted version", installer.Invocation{State: installer.Pending, Spec: installer.Spec{Version: "2.7.2"}}, "unknown", "2.7.2", "waiting"},
		{"the package's version", installer.Invocation{State: installer.Running, Spec: installer.Spec{Packages: []installer.BlobRef{{}, {Version: "2.7.1"}}}}, "unknown", "2.7.1", "running"},
		{"running", installer.Invocation{State: installer.Running, Attempts: []installer.Attempt{{Number: 1, Steps: []installer.StepRecord{{Step: installer.StepConnect}, {Step: installer.StepProbe}}}}},
			"unknown", "unknown", "running; last step done: probe"},
		{"again", installer.Invocation{State: installer.Pending, Kind: installer.KindRefused, Message: "port 22 is closed"}, "unknown", "unknown", "to be tried again after refused: port 22 is closed"},
		{"failed", installer.Invocation{State: installer.Failed, Kind: installer.KindScriptFailed, Message: "exit code 3", Spec: installer.Spec{Version: "2"}}, "unknown", "2",
			"script-failed: exit code 3 — " + installer.KindScriptFailed.Hint()},
		{"failed without detail", installer.Invocation{State: installer.Failed, Kind: installer.KindResolve}, "unknown", "unknown", "resolve: no detail — " + installer.KindResolve.Hint()},
		{"canceled", installer.Invocation{State: installer.Canceled}, "unknown", "unknown", "canceled"},
		{"timeout", installer.Invocation{State: installer.Timeout, Kind: installer.KindLostContact, Message: "gone"}, "unknown", "unknown", "lost-contact: gone — " + installer.KindLostContact.Hint()},
		{"succeeded", installer.Invocation{State: installer.Succeeded, Message: "healthy", Spec: installer.Spec{Version: "2"}, Outcome: installer.Outcome{CurrentVersion: "1", TargetVersion: "2.0"}}, "1", "2.0", "healthy"},
		{"succeeded after a retry", installer.Invocation{State: installer.Succeeded, Kind: installer.KindRefused}, "unknown", "unknown", "succeeded"},
		{"nothing was there", installer.Invocation{State: installer.Succeeded, Outcome: installer.Outcome{Agent: installer.AgentRunning, TargetVersion: "2.0"}}, "none", "2.0", "succeeded"},
		{"nobody could tell", installer.Invocation{State: installer.Failed, Kind: installer.KindResolve, Message: "no", Outcome: installer.Outcome{Agent: installer.AgentUnknown}}, "unknown", "unknown", "resolve: no — " + installer.KindResolve.Hint()},
		{"undone, long ago", installer.Invocation{State: installer.Rollbacked}, "unknown", "unknown", "undone by a later ROLLBACK"},
		{"undone", installer.Invocation{State: installer.Rollbacked, UndoneBy: "back-1", Message: "updated: agent healthy, version 2.0", Outcome: installer.Outcome{CurrentVersion: "1.0", TargetVersion: "2.0"}},
			"1.0", "2.0", "undone by back-1; before: updated: agent healthy, version 2.0"},
		{"an installer", installer.Invocation{Type: installer.SetRemoteInstaller, State: installer.Succeeded, Message: "it forwards"}, "unknown", "none", "it forwards"},
		{"an installer, waiting", installer.Invocation{Type: installer.SetRemoteInstaller, State: installer.Pending, Spec: installer.Spec{Version: "2"}}, "unknown", "none", "waiting"},
		{"an installer, again", installer.Invocation{Type: installer.Retry, State: installer.Pending, Spec: installer.Spec{Task: installer.SetRemoteInstaller}}, "unknown", "none", "waiting"},
	} {
		tc.inv.ID, tc.inv.Created = "i", created
		tc.inv.Host = installer.Host{ID: "h", Endpoint: installer.Endpoint{Address: "10.0.0.1"}}
		item := api.ItemOf(&tc.inv)
		assert.Equal(t, tc.current, item.CurrentVersion, tc.name)
		assert.Equal(t, tc.target, item.TargetVersion, tc.name)
		assert.Equal(t, tc.msg, item.ResultMsg, tc.name)
		assert.EqualValues(t, 1700000000123, item.CreateTime)
		assert.Equal(t, item.CreateTime, item.UpdateTime, "never empty")
		assert.Equal(t, "10.0.0.1", item.InstanceName)
		assert.Equal(t, installer.ECS, item.InstanceType)
		assert.Equal(t, "telescope", item.InvocationTarget)
	}
}

// TestA13HostileTextInAnItem: what a host said is cut, and escaped.
func TestA13HostileTextInAnItem(t *testing.T) {
	t.Parallel()
	inv := installer.Invocation{
		State: installer.Failed, Kind: installer.KindScriptFailed, Message: "\x1b[2J\u202e\xff" + strings.Repeat("é", 6000),
		Outcome: installer.Outcome{CurrentVersion: strings.Repeat("1", 100), TargetVersion: "2\n3"},
		Host:    installer.Host{Name: strings.Repeat("n", 200)},
	}
	item := api.ItemOf(&inv)
	assert.True(t, utf8.ValidString(item.ResultMsg))
	assert.Equal(t, 5000, utf8.RuneCountInString(item.ResultMsg))
	assert.NotContains(t, item.ResultMsg, "\x1b")
	assert.NotContains(t, item.ResultMsg, "\u202e")
	assert.Equal(t, 64, utf8.RuneCountInString(item.CurrentVersion))
	assert.Equal(t, `2\n3`, item.TargetVersion)
	assert.Equal(t, 128, utf8.RuneCountInString(item.InstanceName))
}
