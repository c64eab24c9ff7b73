package installer_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
)

var (
	allTypes = []installer.Type{
		installer.Install, installer.Update, installer.Rollback, installer.Retry, installer.SetRemoteInstaller, installer.RemoteInstall,
		installer.Uninstall, installer.Configure,
	}
	allStates = []installer.State{
		installer.Pending, installer.Running, installer.Succeeded, installer.Failed, installer.Timeout, installer.Canceled, installer.Rollbacked,
	}
)

// did returns an invocation of that type in that state that did something.
func did(kind installer.Type, state installer.State) *installer.Invocation {
	return &installer.Invocation{
		ID: "old", ProjectID: "p", RunID: "first", Type: kind, State: state, Host: installer.Host{ID: "h"},
		Spec: installer.Spec{
			Target: "telescope", Version: "2.0", VersionType: "BASIC_VERSION", Origin: "CES", HostKeys: installer.Strict,
			Packages: []installer.BlobRef{{SHA256: "aa"}}, Online: &installer.Online{URL: "https://x"},
		},
		Outcome: installer.Outcome{CurrentVersion: "1.0", TargetVersion: "2.0"},
	}
}

// Every type in every state, and a RETRY of every type in every state.
func TestAllow(t *testing.T) {
	t.Parallel()
	allowed := map[installer.Type]string{}
	ask := func(inv *installer.Invocation, name string) {
		for _, task := range allTypes {
			err := installer.Allow(task, inv)
			if err == nil {
				allowed[task] += name + " "
				continue
			}
			assert.LessOrEqual(t, utf8.RuneCountInString(err.Error()), 128, "the API's limit: %s", err)
		}
	}
	for _, kind := range allTypes {
		for _, state := range allStates {
			inv := did(kind, state)
			if kind != installer.Retry {
				ask(inv, fmt.Sprintf("%s/%s", kind, state))
			}
			retry := installer.RetryOf(inv)
			retry.State, retry.Outcome = state, inv.Outcome
			if kind != installer.Retry {
				ask(&retry, fmt.Sprintf("retried-%s/%s", kind, state))
			}
		}
	}
	var again, undo []string
	for _, kind := range []installer.Type{"INSTALL", "UPDATE", "ROLLBACK", "SET_REMOTE_INSTALLER", "REMOTE_INSTALL", "UNINSTALL", "CONFIGURE"} {
		for _, state := range []string{"FAILED", "TIMEOUT", "CANCELED"} {
			again = append(again, string(kind)+"/"+state, "retried-"+string(kind)+"/"+state)
		}
	}
	for _, kind := range []string{"INSTALL", "UPDATE", "REMOTE_INSTALL"} {
		undo = append(undo, kind+"/SUCCEEDED", "retried-"+kind+"/SUCCEEDED")
	}
	assert.ElementsMatch(t, again, strings.Fields(allowed[installer.Retry]))
	assert.ElementsMatch(t, undo, strings.Fields(allowed[installer.Rollback]))
	assert.Len(t, allowed, 2, "no other type is about an invocation")
}

func TestAllowSaysWhyNot(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		task installer.Type
		of   *installer.Invocation
		says string
	}{
		"it goes on":      {installer.Retry, did("INSTALL", installer.Running), "no RETRY: it is RUNNING; possible only after FAILED, TIMEOUT, CANCELED"},
		"it failed":       {installer.Rollback, did("UPDATE", installer.Failed), "no ROLLBACK: it is FAILED; possible only after SUCCEEDED"},
		"twice":           {installer.Rollback, did("UPDATE", installer.Rollbacked), "no ROLLBACK: it has been rolled back already"},
		"a rollback":      {installer.Rollback, did("ROLLBACK", installer.Succeeded), "there is no ROLLBACK of a ROLLBACK"},
		"a jump host":     {installer.Rollback, did("SET_REMOTE_INSTALLER", installer.Succeeded), "there is no ROLLBACK of a SET_REMOTE_INSTALLER"},
		"an uninstall":    {installer.Rollback, did("UNINSTALL", installer.Succeeded), "there is no ROLLBACK of UNINSTALL: no copy is kept; use INSTALL with"},
		"a configuration": {installer.Rollback, did("CONFIGURE", installer.Succeeded), "there is no ROLLBACK of CONFIGURE: no copy is kept; use CONFIGURE with"},
		"a script":        {installer.Rollback, with(func(inv *installer.Invocation) { inv.Spec.Script = &installer.BlobRef{} }), "a script of your own"},
		"a look":          {installer.Rollback, with(func(inv *installer.Invocation) { inv.Spec.CheckOnly = true }), "it only checked"},
		"nothing changed": {installer.Rollback, with(func(inv *installer.Invocation) { inv.Skipped = true }), "it changed nothing"},
		"a repair":        {installer.Rollback, with(func(inv *installer.Invocation) { inv.CurrentVersion = "2.0" }), "it put back the version that was there"},
	} {
		err := installer.Allow(tt.task, tt.of)
		assert.ErrorContains(t, err, tt.says, name)
		if err != nil {
			assert.LessOrEqual(t, len(err.Error()), 128, "the API's limit: %s", err)
		}
	}
	for _, kind := range []installer.Type{installer.Install, installer.RemoteInstall, installer.Update} {
		of := did(kind, installer.Succeeded)
		of.CurrentVersion = installer.VersionUnknown
		assert.ErrorContains(t, installer.Allow(installer.Rollback, of), "the version before it is not known", kind)
	}
	assert.NoError(t, installer.Allow(installer.Rollback, with(func(inv *installer.Invocation) { inv.CurrentVersion = "" })),
		"an install that found nothing is undone by uninstalling")
	assert.NoError(t, installer.Allow(installer.Rollback, with(func(inv *installer.Invocation) { inv.Skipped, inv.Changed = true, true })),
		"an attempt before the one that was skipped changed the host")
}

func with(change func(*installer.Invocation)) *installer.Invocation {
	inv := did(installer.Install, installer.Succeeded)
	change(inv)
	return inv
}

func TestRetryOf(t *testing.T) {
	t.Parallel()
	old := did(installer.RemoteInstall, installer.Failed)
	retry := installer.RetryOf(old)
	assert.Equal(t, installer.Retry, retry.Type)
	assert.Equal(t, installer.RemoteInstall, retry.Task())
	assert.Equal(t, "first", retry.RunID, "it finds what the one before left running")
	assert.Equal(t, "old", retry.Of)
	assert.Empty(t, retry.ID)
	assert.Equal(t, installer.Outcome{CurrentVersion: "1.0"}, retry.Outcome)
	want := old.Spec
	want.Task = installer.RemoteInstall
	assert.Equal(t, want, retry.Spec)

	old.Changed, old.MayRun = true, true
	again := installer.RetryOf(old)
	assert.Equal(t, installer.Outcome{CurrentVersion: "1.0", TargetVersion: "2.0", Changed: true}, again.Outcome)
	assert.True(t, again.MayRun)
	assert.False(t, retry.MayRun)

	retry.ID, retry.State = "second", installer.Timeout
	third := installer.RetryOf(&retry)
	assert.Equal(t, installer.RemoteInstall, third.Task())
	assert.Equal(t, "first", third.RunID)
	assert.Equal(t, "second", third.Of)
}

func TestRollbackOf(t *testing.T) {
	t.Parallel()
	old := did(installer.Update, installer.Succeeded)
	back := installer.RollbackOf(old)
	assert.Equal(t, installer.Rollback, back.Type)
	assert.Equal(t, installer.Rollback, back.Task())
	assert.Equal(t, "old", back.Of)
	assert.Empty(t, back.RunID, "a run folder of its own")
	assert.Equal(t, installer.Spec{
		Target: "telescope", Version: "1.0", Restore: "1.0", Origin: "CES", HostKeys: installer.Strict, Task: installer.Rollback,
		Undoes: installer.Undone{RunID: "first", Version: "2.0"},
	}, back.Spec, "it needs nothing but what is on the host")
	assert.Empty(t, back.Outcome)

	old.CurrentVersion = ""
	assert.Empty(t, installer.RollbackOf(old).Spec.Restore, "uninstalled")

	back.ID, back.RunID, back.State = "back", "back", installer.Failed
	retry := installer.RetryOf(&back)
	assert.Equal(t, installer.Rollback, retry.Task())
	assert.Equal(t, "1.0", retry.Spec.Restore)
}

// Rules hands out a copy.
func TestRulesAreNotShared(t *testing.T) {
	t.Parallel()
	rules := installer.Rules()
	rules[0].Task = "X"
	assert.False(t, slices.ContainsFunc(installer.Rules(), func(r installer.Rule) bool { return r.Task == "X" }))
}

func TestOnline(t *testing.T) {
	t.Parallel()
	for at, says := range map[string]string{
		"https://mirror.example.com/agent":        "",
		"https://[2001:db8::1]:8443/a":            "",
		"http://127.0.0.1:8080/x":                 "",
		"http://localhost/x":                      "",
		"http://[::1]:80/x":                       "",
		"http://mirror.example.com/agent":         "want https",
		"http://localhost.example.com/":           "want https",
		"https://user:secret@mirror.example.com/": "user or a password",
		"https://mirror.example.com/?token=1":     "want https://HOST",
		"https://mirror.example.com/#x":           "want https://HOST",
		"https://mirror.example.com/'; reboot; '": "want https://HOST",
		"https://mirror.example.com/$(reboot)":    "want https://HOST",
		"https:///x":                              "want https://HOST",
		"ftp://mirror.example.com":                "want https://HOST",
		"-k":                                      "want https://HOST",
		"":                                        "want https://HOST",
		"https://x/" + strings.Repeat("a", 1000):  "want https://HOST",
		"https://mirror.example.com/a\nb":         "want https://HOST",
		"HTTPS://mirror.example.com/":             "want https://HOST",
	} {
		err := installer.Online{URL: at}.CheckURL()
		if says == "" {
			assert.NoError(t, err, at)
			continue
		}
		assert.ErrorContains(t, err, says, at)
		if err != nil {
			assert.NotContains(t, err.Error(), "secret")
		}
	}
	assert.NoError(t, installer.Online{URL: "http://mirror.example.com/agent", Insecure: true}.CheckURL())
	require.NoError(t, installer.Online{Region: "cn-north-4"}.CheckRegion())
	for _, region := range []string{"", "-t", "a b", "a'b", strings.Repeat("a", 65)} {
		assert.Error(t, installer.Online{Region: region}.CheckRegion(), "%q", region)
	}
}
