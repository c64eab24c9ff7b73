package scripts_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/testdata/agent"
)

// Each bad habit of the agent's own installer is seen through, and none leaves
// something, or what cannot be removed.
func TestBadHabits(t *testing.T) {
	t.Parallel()
	for habit, want := range map[string]struct {
		code  int
		agent string
		says  string
	}{
		"none":          {0, "healthy", ""},
		"chatty":        {0, "healthy", ""},
		"slow-start":    {0, "healthy", ""},
		"no-init":       {0, "healthy", ""},
		"no-start":      {exitUnhealthy, "unhealthy", "does not run"},
		"one-process":   {exitUnhealthy, "unhealthy", "1 parent and 0 child"},
		"two-parents":   {exitUnhealthy, "unhealthy", "2 parent and 2 child"},
		"crash-later":   {exitUnhealthy, "unhealthy", "does not run"},
		"crash-loop":    {exitUnhealthy, "", ""},
		"copy-fails":    {exitInstaller, "", "did not copy everything"},
		"disk-full":     {exitSpace, "", "disk is full"},
		"fails":         {exitInstaller, "", "exit code 3"},
		"hang":          {exitInstaller, "", "killed after"},
		"wrong-version": {exitOtherVers, "healthy", "version is 0.0.1, not 1.2.3"},
	} {
		t.Run(habit, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			s := settings{"TRIPOD_PACKAGE": agent.Build(t, agent.Options{Habit: habit}), "TRIPOD_VERSION": "1.2.3", "TRIPOD_STABLE": "3"}
			verify := settings{"TRIPOD_VERSION": "1.2.3", "TRIPOD_STABLE": "3"}
			if want.agent != "healthy" { // else a slow machine may need longer
				s["TRIPOD_WAIT"], verify["TRIPOD_WAIT"] = "2", "1"
			}
			switch habit {
			case "hang":
				s["TRIPOD_RUN_LIMIT"] = "2"
			case "crash-later": // it has crashed long before, and that ends the wait
				s["TRIPOD_STABLE"] = "120"
			case "crash-loop": // a slow machine may need longer than its second
				s["TRIPOD_STABLE"], verify["TRIPOD_STABLE"] = "5", "5"
			case "two-parents": // all four are to be seen
				s["TRIPOD_WAIT"] = "5"
			case "none", "chatty", "slow-start", "no-init", "wrong-version":
				s["TRIPOD_STABLE"], verify["TRIPOD_STABLE"] = "1", "1"
			}
			stays := want.code == exitUnhealthy || want.code == exitOtherVers
			if stays {
				h.appended = "remove_failed() { :; }\n" // to be looked at once more
			}
			r := h.want(want.code, "install.sh", s)
			if want.agent != "" {
				assert.Equal(t, want.agent, r.found["agent"], r.stdout)
			}
			assert.Contains(t, r.stderr, want.says)
			assert.Empty(t, h.work())
			switch {
			case stays: // verify by itself comes to the same
				h.want(want.code, "verify.sh", verify)
			case want.code != 0:
				assert.Equal(t, "none", r.found["agent"])
				h.uninstalled()
				return
			}
			h.want(0, "uninstall.sh", nil)
			h.uninstalled()
		})
	}
}

// A broken version in the way, which nobody has put back, does not keep a good one
// out, nor replaces what was kept.
func TestBrokenUpdateKeepsTheWayBack(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	keep := h.dir + "/kept"
	h.want(0, "install.sh", settings{"TRIPOD_PACKAGE": agent.Build(t, agent.Options{Version: "1.0"})})
	h.want(0, "install.sh", settings{"TRIPOD_PACKAGE": agent.Build(t, agent.Options{Version: "2.0"}), "TRIPOD_KEEP": keep})
	h.killAll()
	require.NoError(t, os.WriteFile(h.root+"/usr/local/telescope/bin/telescope", []byte("#!/bin/sh\nexit 1\n"), 0o755))
	r := h.want(0, "install.sh", settings{"TRIPOD_PACKAGE": agent.Build(t, agent.Options{Version: "3.0"}), "TRIPOD_KEEP": keep})
	healthy(t, r, "3.0", "old")
	healthy(t, h.want(0, "install.sh", settings{"TRIPOD_RESTORE": keep}), "1.0", "old")
	h.want(0, "uninstall.sh", nil)
	h.uninstalled()
}
