package recipe

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/sshtest"
	standin "tripod/testdata/agent"
)

// countedSettings counts in the file "ran" how often the script that changes the
// host runs. Settings are read by all scripts.
const countedSettings = "TRIPOD_WAIT=20\nTRIPOD_STABLE=0\n" +
	`case $0 in */install.sh | */uninstall.sh) printf x >>"$TRIPOD_ROOT/ran" ;; esac` + "\n"

// do makes the bed's invocation another one, of that task, and works on it.
func (b *bed) do(id string, task installer.Type, spec installer.Spec) (installer.Outcome, error) {
	b.t.Helper()
	b.task(id, task, spec)
	return b.finish()
}

func (b *bed) task(id string, task installer.Type, spec installer.Spec) {
	spec.Target, spec.HostKeys = installer.TargetTelescope, installer.Insecure
	b.again(id)
	b.inv.Type, b.inv.Spec, b.inv.Outcome = task, spec, installer.Outcome{}
	b.settings = countedSettings
}

// finish works, and keeps what came out as a store does.
func (b *bed) finish() (installer.Outcome, error) {
	b.t.Helper()
	outcome, err := b.crashing(b.t.Context())
	if outcome != (installer.Outcome{}) {
		b.inv.Outcome = outcome
	}
	b.inv.State = installer.Succeeded
	if err != nil {
		b.inv.State = installer.FailureOf(err).Kind.Info().End()
	}
	return outcome, err
}

// become makes the bed's invocation one about another one, as the store would.
func (b *bed) become(id string, inv installer.Invocation) {
	b.again(id)
	run := inv.RunID
	if run == "" {
		run = id
	}
	inv.ID, inv.RunID, inv.BatchID, inv.Attempts = id, run, b.inv.BatchID, b.inv.Attempts
	*b.inv = inv
	b.settings = countedSettings
}

// packages builds the stand-in in a version.
func (b *bed) packages(version string) installer.Spec {
	b.t.Helper()
	b.agent(standin.Options{Version: version})
	return installer.Spec{Packages: b.inv.Spec.Packages, Version: version}
}

// agents counts the agent's processes on the host; its folder must be theirs.
func (b *bed) agents() int {
	b.t.Helper()
	dirs, err := filepath.Glob("/proc/[0-9]*")
	require.NoError(b.t, err)
	count := 0
	for _, dir := range dirs {
		cwd, err := os.Readlink(dir + "/cwd")
		comm, _ := os.ReadFile(dir + "/comm")
		if err == nil && strings.HasPrefix(cwd, b.srv.Path("usr/local")) && strings.TrimSpace(string(comm)) == "telescope" {
			count++
		}
	}
	return count
}

func ptr(inv installer.Invocation) *installer.Invocation { return &inv }

// installed is a bed with version 1.0.0 of the agent.
func installedBed(t *testing.T) *bed {
	t.Helper()
	b := newBed(t, sshtest.Config{}, "root")
	outcome, err := b.do("inv-1", installer.RemoteInstall, b.packages("1.0.0"))
	require.NoError(t, err, b.out.String())
	require.Equal(t, "", outcome.CurrentVersion)
	require.Equal(t, installer.AgentRunning, outcome.Agent)
	return b
}

// updatedBed is one with version 2.0.0, and 1.0.0 kept.
func updatedBed(t *testing.T) *bed {
	t.Helper()
	b := installedBed(t)
	outcome, err := b.do("inv-2", installer.Update, b.packages("2.0.0"))
	require.NoError(t, err, b.out.String())
	require.Equal(t, "1.0.0", outcome.CurrentVersion)
	require.Equal(t, "2.0.0", outcome.TargetVersion)
	require.Equal(t, "updated: agent healthy, version 2.0.0"+cannotReport, outcome.Message)
	return b
}

// Installed, updated, rolled back without any file being sent, installed no more.
func TestRollback(t *testing.T) {
	t.Parallel()
	b := installedBed(t)
	install := *b.inv
	outcome, err := b.do("inv-2", installer.Update, b.packages("2.0.0"))
	require.NoError(t, err, b.out.String())
	assert.Equal(t, "2.0.0", outcome.TargetVersion)

	require.NoError(t, installer.Allow(installer.Rollback, b.inv))
	b.become("inv-3", installer.RollbackOf(b.inv))
	b.blobs = &memBlobs{} // nothing to send is kept here
	sent := b.srv.Counts().SFTPs
	outcome, err = b.finish()
	require.NoError(t, err, b.out.String())
	assert.Equal(t, []installer.Step{"connect", "probe", "stage", "run", "verify", "clean"}, b.steps())
	assert.Equal(t, "2.0.0", outcome.CurrentVersion)
	assert.Equal(t, "1.0.0", outcome.TargetVersion)
	assert.Equal(t, installer.AgentRunning, outcome.Agent)
	assert.Equal(t, "rolled back: agent healthy, version 1.0.0"+cannotReport, outcome.Message)
	assert.Equal(t, sent, b.srv.Counts().SFTPs, "a rollback needs nothing but the host")
	assert.Equal(t, 2, b.agents())
	assert.Empty(t, b.runFolders())

	// Again, as a RETRY whose predecessor's end got lost: there is nothing to do.
	b.inv.State = installer.Timeout
	b.become("inv-4", installer.RetryOf(b.inv))
	outcome, err = b.finish()
	require.NoError(t, err)
	assert.True(t, outcome.Skipped)
	assert.Equal(t, "xxx", b.ran())

	// The installation found nothing: undone, nothing is there.
	require.NoError(t, installer.Allow(installer.Rollback, &install))
	b.become("inv-5", installer.RollbackOf(&install))
	outcome, err = b.finish()
	require.NoError(t, err, b.out.String())
	assert.Equal(t, "uninstalled: nothing of the agent is left", outcome.Message)
	assert.Equal(t, installer.AgentNone, outcome.Agent)
	assert.Equal(t, "1.0.0", outcome.CurrentVersion)
	assert.Empty(t, outcome.TargetVersion)
	assert.Zero(t, b.agents())
	assert.NoDirExists(t, b.srv.Path("usr/local/telescope"))
	assert.NoFileExists(t, b.srv.Path("etc/init.d/telescoped"))
	assert.Empty(t, b.runFolders())
}

// An INSTALL over an older version goes back to that.
func TestRollbackOfAnInstallOverAnother(t *testing.T) {
	t.Parallel()
	b := installedBed(t)
	_, err := b.do("inv-2", installer.Install, b.packages("2.0.0"))
	require.NoError(t, err, b.out.String())
	b.become("inv-3", installer.RollbackOf(b.inv))
	outcome, err := b.finish()
	require.NoError(t, err, b.out.String())
	assert.Equal(t, "1.0.0", outcome.TargetVersion)

	// An agent whose version nobody can tell is not none: to undo what replaced it
	// must not uninstall.
	require.NoError(t, os.Chmod(b.srv.Path("usr/local/telescope/bin/agent"), 0o600)) // it says the version
	outcome, err = b.do("inv-4", installer.Install, b.packages("2.0.0"))
	require.NoError(t, err, b.out.String())
	assert.Equal(t, installer.VersionUnknown, outcome.CurrentVersion)
	assert.Equal(t, "2.0.0", outcome.TargetVersion)
	assert.ErrorContains(t, installer.Allow(installer.Rollback, b.inv), "is not known")
}

func (b *bed) ran() string {
	text, err := os.ReadFile(b.srv.Path("ran"))
	require.NoError(b.t, err)
	return string(text)
}

func TestNotKept(t *testing.T) {
	t.Parallel()
	b := updatedBed(t)
	before := listing(t, b.srv.Path("var/lib/tripod"))
	update, kept, aside := *b.inv, b.srv.Path("var/lib/tripod/kept"), b.srv.Path("aside")
	notKept := func(id, version, says string) {
		b.task(id, installer.Rollback, installer.Spec{Restore: version, Version: version})
		_, err := b.finish()
		f := requireKind(t, installer.KindNotKept, err)
		assert.Equal(t, says, f.Detail)
		assert.Equal(t, installer.StepProbe, f.Step)
	}
	notKept("inv-9", "0.9", "version 0.9 is not kept on the host (1.0.0 is)")
	assert.Equal(t, before, listing(t, b.srv.Path("var/lib/tripod")), "no folder is left")
	require.NoError(t, os.Rename(kept, aside))
	notKept("inv-10", "1.0.0", "version 1.0.0 is not kept on the host (none is)")
	assert.Equal(t, "xx", b.ran())
	assert.Equal(t, 2, b.agents())
	assert.Equal(t, installer.AgentRunning, b.inv.Agent, "it was seen, and nothing was changed")

	// What is kept is found again where another place would be chosen today.
	require.NoError(t, os.Rename(aside, kept))
	require.NoError(t, os.MkdirAll(b.srv.Path("usr/local/lib"), 0o755))
	require.NoError(t, os.Rename(b.srv.Path("var/lib/tripod"), b.srv.Path("usr/local/lib/tripod")))
	b.become("inv-3", installer.RollbackOf(&update))
	outcome, err := b.finish()
	require.NoError(t, err, b.out.String())
	assert.Equal(t, "1.0.0", outcome.TargetVersion)
	assert.DirExists(t, b.srv.Path("var/lib/tripod/runs"))
}

// A process that dies before and after each journal write of a rollback: it is
// done once, and to the end.
func TestRollbackKilledAtEveryStep(t *testing.T) {
	t.Parallel()
	for _, way := range []string{"restore", "remove"} {
		for _, step := range []installer.Step{"stage", "run", "verify", "clean"} {
			for _, kept := range []bool{false, true} {
				if kept && !decides(step, nil) || way == "remove" && kept != decides(step, nil) {
					continue // is never the last one kept; or no different from the other way
				}
				if !sshtest.Long() && (way != "restore" || step != "run" || kept) {
					continue // TestRollbackKilledAtEveryWrite kills at each of them in turn
				}
				t.Run(fmt.Sprintf("%s/%s/kept=%t", way, step, kept), func(t *testing.T) {
					t.Parallel()
					b := updatedBed(t)
					if way == "remove" {
						b.inv.CurrentVersion, b.inv.Type = "", installer.Install
					}
					require.Equal(t, "xx", b.ran())
					b.become("inv-3", installer.RollbackOf(b.inv))
					b.dieAt(step, kept)
					outcome, err := b.finish()
					require.NoError(t, err, b.out.String())
					assert.Equal(t, "xxx", b.ran())
					assert.Equal(t, "2.0.0", outcome.CurrentVersion, "not what the rollback itself left")
					assert.Empty(t, b.runFolders())
					if way == "remove" {
						assert.Zero(t, b.agents())
						assert.Equal(t, installer.AgentNone, outcome.Agent)
						return
					}
					assert.Equal(t, 2, b.agents())
					assert.Equal(t, "1.0.0", outcome.TargetVersion)
				})
			}
		}
	}
}

// A process that dies at verify finds the new version there. That is not the
// version before.
func TestVersionBeforeSurvivesACrash(t *testing.T) {
	t.Parallel()
	b := newBed(t, sshtest.Config{}, "root")
	b.task("inv-1", installer.Install, b.packages("1.0.0"))
	b.onJournal = func(rec installer.StepRecord) error {
		if rec.Step == installer.StepVerify {
			panic(errKilled)
		}
		return nil
	}
	_, err := b.crashing(t.Context())
	require.ErrorIs(t, err, errKilled)
	b.onJournal = nil
	outcome, err := b.finish()
	require.NoError(t, err)
	assert.Empty(t, outcome.CurrentVersion, "there was none")
	assert.Equal(t, "1.0.0", outcome.TargetVersion)
	assert.Equal(t, "x", b.ran())
}

// A failed UPDATE leaves a broken agent. The RETRY that succeeds goes back to what
// was there before both.
func TestVersionBeforeOfARetry(t *testing.T) {
	t.Parallel()
	b := installedBed(t)
	b.agent(standin.Options{Version: "2.0.0", Habit: "one-process"})
	bad := installer.Spec{Packages: b.inv.Spec.Packages, Version: "2.0.0"}
	b.task("inv-2", installer.Update, bad)
	b.settings += "TRIPOD_WAIT=2\n"
	outcome, err := b.finish()
	requireKind(t, installer.KindVerifyFailed, err)
	assert.Equal(t, installer.AgentRunning, outcome.Agent, "the version before, put back")

	failed := *b.inv
	good := b.packages("2.0.0")
	require.NoError(t, installer.Allow(installer.Retry, &failed))
	b.become("inv-3", installer.RetryOf(&failed))
	b.inv.Spec.Packages = good.Packages
	outcome, err = b.finish()
	require.NoError(t, err, b.out.String())
	assert.Equal(t, "1.0.0", outcome.CurrentVersion)
	assert.Equal(t, "updated: agent healthy, version 2.0.0"+cannotReport, outcome.Message)

	require.NoError(t, installer.Allow(installer.Rollback, b.inv))
	b.become("inv-4", installer.RollbackOf(b.inv))
	outcome, err = b.finish()
	require.NoError(t, err, b.out.String())
	assert.Equal(t, "1.0.0", outcome.TargetVersion)
}

func TestUpdateNeedsAnAgent(t *testing.T) {
	t.Parallel()
	b := newBed(t, sshtest.Config{}, "root")
	outcome, err := b.do("inv-1", installer.Update, b.packages("1.0.0"))
	f := requireKind(t, installer.KindAgentMissing, err)
	assert.Equal(t, installer.StepProbe, f.Step)
	assert.Equal(t, installer.AgentNone, outcome.Agent)
	assert.Empty(t, b.runFolders())
	assert.NoFileExists(t, b.srv.Path("ran"))

	// One that an attempt of ours has removed is another matter.
	b.inv.CurrentVersion = "0.9"
	b.inv.State = installer.Failed
	b.become("inv-2", installer.RetryOf(b.inv))
	outcome, err = b.finish()
	require.NoError(t, err, b.out.String())
	assert.Equal(t, "0.9", outcome.CurrentVersion)
	assert.Equal(t, "1.0.0", outcome.TargetVersion)
}

// What a package installs must be what was asked for, whatever it is called.
func TestWantedVersionIsVerified(t *testing.T) {
	t.Parallel()
	b := installedBed(t)
	for i, task := range []installer.Type{installer.Install, installer.Update} {
		spec := b.packages("2.0.0")
		spec.Version = "3.0.0"
		for i := range spec.Packages {
			spec.Packages[i].Version = "" // its name does not say it
		}
		outcome, err := b.do("inv-2", task, spec)
		f := requireKind(t, installer.KindVerifyFailed, err)
		assert.Contains(t, f.Detail, "the agent's version is 2.0.0, not 3.0.0")
		assert.Equal(t, "1.0.0", outcome.CurrentVersion)

		for i := range spec.Packages {
			spec.Packages[i].Version = "2.0.0"
		}
		_, err = b.do("inv-3", task, spec)
		requireKind(t, installer.KindPackageMissing, err)
		_, err = b.do("inv-4", task, installer.Spec{Version: "4.0.0"})
		requireKind(t, installer.KindPackageMissing, err)
		assert.Equal(t, strings.Repeat("x", i+2), b.ran())
	}
}

// The task is what counts, not the type: a RETRY does what it retries.
func TestKindOfRetries(t *testing.T) {
	t.Parallel()
	ref := installer.BlobRef{SHA256: "aa"}
	for name, tt := range map[string]struct {
		of   installer.Invocation
		want kind
	}{
		"install":       {installer.Invocation{Type: "INSTALL"}, agent},
		"update":        {installer.Invocation{Type: "UPDATE", Spec: installer.Spec{Packages: []installer.BlobRef{ref}, Online: &installer.Online{}}}, agent},
		"online":        {installer.Invocation{Type: "UPDATE", Spec: installer.Spec{Online: &installer.Online{}}}, online},
		"script":        {installer.Invocation{Type: "INSTALL", Spec: installer.Spec{Script: &ref, Target: "other"}}, script},
		"check":         {installer.Invocation{Type: "INSTALL", Spec: installer.Spec{CheckOnly: true}}, checkOnly},
		"jump host":     {installer.Invocation{Type: "SET_REMOTE_INSTALLER"}, jumpHost},
		"back":          {installer.Invocation{Type: "ROLLBACK", Spec: installer.Spec{Restore: "1"}}, restore},
		"back to none":  {installer.Invocation{Type: "ROLLBACK"}, remove},
		"configure":     {installer.Invocation{Type: "CONFIGURE"}, configure},
		"uninstall":     {installer.Invocation{Type: "UNINSTALL", Spec: installer.Spec{Purge: true}}, remove},
		"back, by name": {installer.RollbackOf(&installer.Invocation{Type: "UPDATE", Outcome: installer.Outcome{CurrentVersion: "1"}}), restore},
	} {
		got, err := kindOf(&tt.of)
		require.NoError(t, err, name)
		assert.Equal(t, tt.want, got, name)
		got, err = kindOf(ptr(installer.RetryOf(ptr(installer.RetryOf(&tt.of)))))
		require.NoError(t, err, name)
		assert.Equal(t, tt.want, got, "a RETRY of a RETRY of %s", name)
	}
	_, err := kindOf(&installer.Invocation{Type: "ROLLBACK", Spec: installer.Spec{Target: "other"}})
	requireKind(t, installer.KindInternal, err)
}

// The host gets the agent by itself; what it gets is verified.
func TestOnline(t *testing.T) {
	t.Parallel()
	archive := standin.Build(t, standin.Options{Version: "5.0.0"})
	var srv *httptest.Server
	srv = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/a/agent_install.sh":
			_, _ = fmt.Fprintf(w, "#!/bin/bash\n: ${TRIPOD_ROOT:-}\necho \"asked: $*\"\ncurl -sSfO %s/a/telescope.tar.gz || exit 0\n"+
				"tar -xzf telescope.tar.gz && cd telescope_linux_*/ && bash ./install.sh\n", srv.URL)
		case "/a/telescope.tar.gz":
			http.ServeFile(w, r, archive)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(srv.Close)
	at := &installer.Online{URL: srv.URL + "/a", Region: "r-1"}
	require.NoError(t, errors.Join(at.CheckURL(), at.CheckRegion()))

	b := newBed(t, sshtest.Config{}, "root")
	b.settings = "TRIPOD_STABLE=0\n"
	outcome, err := b.do("inv-1", installer.Install, installer.Spec{Online: at})
	require.NoError(t, err, b.out.String())
	assert.Equal(t, "installed: agent healthy, version 5.0.0"+cannotReport, outcome.Message)
	assert.Contains(t, b.out.String(), "asked: -r r-1\n")
	assert.Zero(t, b.srv.Counts().SFTPs, "nothing was sent")
	assert.Equal(t, 2, b.agents())
	assert.Empty(t, b.runFolders())

	outcome, err = b.do("inv-2", installer.Install, installer.Spec{Online: at})
	require.NoError(t, err)
	assert.True(t, outcome.Skipped, "healthy, and any version will do")

	more := *at
	more.UniagentVersion, more.Domain, more.OBSDomain = "1.1.7", "agent.example.com", "obs.example.com"
	outcome, err = b.do("inv-3", installer.Update, installer.Spec{Online: &more})
	require.NoError(t, err, b.out.String())
	assert.False(t, outcome.Skipped, "the newest is asked for, and which that is, is not known here")
	assert.Contains(t, b.out.String(), "asked: -r r-1 -u 1.1.7 -d agent.example.com -o obs.example.com\n")

	// Another version than asked for.
	_, err = b.do("inv-4", installer.Update, installer.Spec{Online: at, Version: "6.0.0"})
	assert.Contains(t, requireKind(t, installer.KindVerifyFailed, err).Detail, "not 6.0.0")
	assert.Contains(t, b.out.String(), "asked: -t 6.0.0 -r r-1\n")

	_, err = b.do("inv-5", installer.Update, installer.Spec{Online: &installer.Online{URL: srv.URL + "/b", Region: "r-1"}})
	f := requireKind(t, installer.KindDownloadFailed, err)
	assert.Contains(t, f.Detail, "cannot download "+srv.URL+"/b/agent_install.sh: curl: (22)")
	_, err = b.do("inv-7", installer.Update, installer.Spec{Online: &installer.Online{URL: at.URL, Script: installer.OldOnlineScript}})
	assert.Contains(t, requireKind(t, installer.KindDownloadFailed, err).Detail, "/a/agentInstall.sh")
	assert.Equal(t, 2, b.agents())
}

// How the agent is, as it was seen last.
func TestAgentState(t *testing.T) {
	t.Parallel()
	b := installedBed(t)
	look := func(id string) installer.Outcome {
		outcome, err := b.do(id, installer.Install, installer.Spec{CheckOnly: true})
		require.NoError(t, err)
		return outcome
	}
	assert.Equal(t, installer.AgentRunning, look("look-1").Agent)
	assert.Equal(t, "1.0.0", b.inv.CurrentVersion)

	outcome, err := b.do("inv-2", installer.Install, b.packages("1.0.0"))
	require.NoError(t, err)
	assert.True(t, outcome.Skipped)
	assert.Equal(t, installer.AgentRunning, outcome.Agent)
	again, err := b.work(t.Context()) // from the journal alone
	require.NoError(t, err)
	assert.Equal(t, outcome, again)

	b.srv.KillProcesses()
	assert.Equal(t, installer.AgentFault, look("look-2").Agent, "nothing says that this is meant")
	require.NoError(t, os.Remove(b.srv.Path("usr/local/telescope/bin/telescope")))
	assert.Equal(t, installer.AgentFault, look("look-3").Agent)
	require.NoError(t, os.RemoveAll(b.srv.Path("usr/local/telescope")))
	assert.Equal(t, installer.AgentNone, look("look-4").Agent)

	ref := b.blobs.put("job.sh", []byte("exit 0\n"))
	outcome, err = b.do("inv-3", installer.Install, installer.Spec{Script: &ref})
	require.NoError(t, err)
	assert.Empty(t, outcome.Agent, "nobody has looked for it")
}
