package recipe

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/recipe/hostshell"
	"tripod/installer/sshtest"
	standin "tripod/testdata/agent"
)

// agent makes the invocation an installation of the stand-in agent.
func (b *bed) agent(o standin.Options) *bed {
	if testing.Short() && b.t.Name() != "TestAgent" {
		b.t.Skip("-short: of the agent's lives only TestAgent")
	}
	path := standin.Build(b.t, o)
	content, err := os.ReadFile(path)
	require.NoError(b.t, err)
	ref := b.blobs.put("telescope_linux.tar.gz", content)
	ref.Arch, ref.Version, ref.Edition = runtime.GOARCH, o.Version, installer.Advance
	b.inv.Spec.Packages = []installer.BlobRef{
		{SHA256: strings.Repeat("0", 64), Size: 1000, Arch: "s390x", Version: o.Version, Edition: installer.Basic}, ref,
	}
	b.settings = "TRIPOD_WAIT=10\nTRIPOD_STABLE=0\n"
	return b
}

func (b *bed) again(id string) {
	b.inv.ID, b.inv.RunID = id, id
	b.inv.Attempts = []installer.Attempt{{Number: 1}}
	b.out = &syncBuffer{}
}

// cannotReport is what is said of the stand-in, which nobody has given any keys.
const cannotReport = "; it cannot report: " +
	"its configuration lacks AccessKey, SecretKey, InstanceId, ProjectId, and no metadata service answers"

func TestAgent(t *testing.T) {
	t.Parallel()
	b := newBed(t, sshtest.Config{}, "root").agent(standin.Options{Version: "1.2.3"})
	outcome, err := b.work(t.Context())
	require.NoError(t, err, b.out.String())
	assert.Equal(t, "1.2.3", outcome.TargetVersion)
	assert.Equal(t, installer.Advance, outcome.Edition, "that of the package for its architecture")
	assert.Equal(t, "installed: agent healthy, version 1.2.3"+cannotReport, outcome.Message)
	assert.Equal(t, installer.ReportingNo, outcome.Reporting.Able)
	assert.Contains(t, cannotReport, outcome.Reporting.Why)
	assert.Equal(t, []installer.Step{"connect", "probe", "stage", "run", "verify", "clean"}, b.steps())
	assert.Len(t, b.srv.Counts().Execs, 1, "one conversation")
	assert.Empty(t, b.runFolders())
	for _, rec := range b.attempt().Steps {
		t.Logf("%-8s %6.1f ms  %s", rec.Step, float64(rec.Duration.Microseconds())/1000, rec.Note)
	}

	// Again: healthy, so nothing is done.
	b.again("inv-2")
	before := b.srv.Counts()
	outcome, err = b.work(t.Context())
	require.NoError(t, err)
	assert.True(t, outcome.Skipped)
	assert.Equal(t, "1.2.3", outcome.CurrentVersion)
	assert.Equal(t, "1.2.3", outcome.TargetVersion)
	assert.Equal(t, []installer.Step{"connect", "probe"}, b.steps())
	after := b.srv.Counts()
	assert.Equal(t, before.SFTPs, after.SFTPs)
	assert.Len(t, after.Execs, len(before.Execs)+1)
	assert.Empty(t, b.runFolders())
	outcome, err = b.work(t.Context()) // the same journal, after a crash
	require.NoError(t, err)
	assert.True(t, outcome.Skipped)
	assert.Equal(t, after.Connections, b.srv.Counts().Connections, "nothing left to look at")

	// An update: another version, and the one before is kept.
	b.again("inv-3")
	b.agent(standin.Options{Version: "1.3.0"})
	b.inv.Type = installer.Update
	outcome, err = b.work(t.Context())
	require.NoError(t, err, b.out.String())
	assert.False(t, outcome.Skipped)
	assert.Equal(t, "1.2.3", outcome.CurrentVersion)
	assert.Equal(t, "1.3.0", outcome.TargetVersion)
	assert.DirExists(t, b.srv.Path("var/lib/tripod/kept/telescope"))
}

func TestAgentBadHabits(t *testing.T) {
	t.Parallel()
	for habit, want := range map[string]installer.Kind{
		"chatty": "", "no-start": installer.KindVerifyFailed, "copy-fails": installer.KindScriptFailed, "fails": installer.KindScriptFailed, "wrong-version": installer.KindVerifyFailed,
	} {
		t.Run(habit, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, sshtest.Config{}, "root").agent(standin.Options{Version: "1.2.3", Habit: habit})
			b.inv.Spec.Version = "1.2.3"
			if habit == "no-start" {
				b.settings = "TRIPOD_WAIT=2\n"
			}
			_, err := b.work(t.Context())
			if want == "" {
				require.NoError(t, err, b.out.String())
				return
			}
			f := requireKind(t, want, err)
			t.Log(f)
		})
	}
}

func TestAgentPackageMissing(t *testing.T) {
	t.Parallel()
	b := newBed(t, sshtest.Config{}, "root").agent(standin.Options{Version: "1.2.3"})
	b.inv.Spec.Packages = b.inv.Spec.Packages[:1]
	_, err := b.work(t.Context())
	f := requireKind(t, installer.KindPackageMissing, err)
	assert.Equal(t, "no package for "+runtime.GOARCH+" was given", f.Detail)
}

func TestCheckChangesNothing(t *testing.T) {
	t.Parallel()
	for _, user := range []string{"root", "ops"} {
		cfg := sudoHost(sshtest.Sudo{Mode: sshtest.SudoPassword})
		cfg.Users = append(cfg.Users, sshtest.User{Name: "root", Password: "r"})
		b := newBed(t, cfg, user).agent(standin.Options{Version: "1.2.3"})
		b.inv.Spec.CheckOnly = true
		before := listing(t, b.srv.Root())
		outcome, err := b.work(t.Context())
		require.NoError(t, err)
		assert.Contains(t, outcome.Message, "Linux "+runtime.GOARCH+", works in ")
		assert.Contains(t, outcome.Message, "agent none")
		assert.Equal(t, []installer.Step{"connect", "probe"}, b.steps())
		assert.Equal(t, before, listing(t, b.srv.Root()))
	}
}

// TestCheckSaysWhyAVersionIsUnknown: a program that others can change is not asked.
func TestCheckSaysWhyAVersionIsUnknown(t *testing.T) {
	t.Parallel()
	b := newBed(t, sshtest.Config{}, "root").agent(standin.Options{Version: "1.2.3"})
	b.inv.Spec.CheckOnly = true
	bin := filepath.Join(b.srv.Root(), "usr/local/telescope/bin")
	require.NoError(t, os.MkdirAll(bin, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(bin, "agent"), []byte("#!/bin/sh\necho 1.2.3\n"), 0o755))
	require.NoError(t, os.Chmod(bin, 0o777))
	outcome, err := b.work(t.Context())
	require.NoError(t, err)
	assert.Contains(t, outcome.Message, "agent unhealthy (its version was not asked: users other than root can change "+bin+")")
	assert.Equal(t, installer.VersionUnknown, outcome.CurrentVersion)
}

func listing(t *testing.T, dir string) []string {
	t.Helper()
	var all []string
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, e := range entries {
		all = append(all, dir+"/"+e.Name())
		if e.IsDir() {
			all = append(all, listing(t, dir+"/"+e.Name())...)
		}
	}
	return all
}

func TestRemoteInstaller(t *testing.T) {
	t.Parallel()
	b := newBed(t, sshtest.Config{}, "root")
	b.inv.Type = installer.SetRemoteInstaller
	outcome, err := b.work(t.Context())
	require.NoError(t, err)
	assert.Contains(t, outcome.Message, "can be a jump host")

	denied := newBed(t, sshtest.Config{Forwarding: sshtest.Forwarding{Denied: true}}, "root")
	denied.inv.Type = installer.SetRemoteInstaller
	_, err = denied.work(t.Context())
	requireKind(t, installer.KindChannelDenied, err)

	// A bastion's login, which may forward and no more, will do.
	cfg := sudoHost(sshtest.Sudo{Mode: sshtest.SudoDenied})
	bastion := newBed(t, cfg, "ops")
	bastion.inv.Type = installer.SetRemoteInstaller
	outcome, err = bastion.work(t.Context())
	require.NoError(t, err)
	assert.Contains(t, outcome.Message, "can be a jump host")
	assert.Contains(t, outcome.Message, " free)", "that there is room was looked at")
	assert.Len(t, bastion.srv.Counts().Execs, 1, "sudo was not asked for")
	_, err = os.Stat(filepath.Join(bastion.srv.Home("ops"), ".tripod"))
	require.ErrorIs(t, err, os.ErrNotExist, "nothing is left there")

	cfg.Forwarding.Denied = true
	denied = newBed(t, cfg, "ops")
	denied.inv.Type = installer.SetRemoteInstaller
	_, err = denied.work(t.Context())
	requireKind(t, installer.KindChannelDenied, err)
}

// TestVerifyDecides: the installation went well, and then the agent dies.
func TestVerifyDecides(t *testing.T) {
	t.Parallel()
	b := newBed(t, sshtest.Config{}, "root").agent(standin.Options{Version: "1.2.3"})
	b.settings = "TRIPOD_WAIT=2\nTRIPOD_STABLE=1\n"
	b.onJournal = func(rec installer.StepRecord) error {
		if rec.Step == installer.StepRun {
			b.srv.KillProcesses()
		}
		return nil
	}
	outcome, err := b.work(t.Context())
	f := requireKind(t, installer.KindVerifyFailed, err)
	assert.Equal(t, installer.StepVerify, f.Step)
	assert.Zero(t, *outcome.ExitCode, "the exit code alone is no success")
	assert.Empty(t, b.runFolders())
}

// TestRequireReporting: an agent without credentials is a failure where that is asked for.
func TestRequireReporting(t *testing.T) {
	t.Parallel()
	b := newBed(t, sshtest.Config{}, "root").agent(standin.Options{Version: "1.2.3"})
	_, err := b.work(t.Context())
	require.NoError(t, err, b.out.String())
	b.again("inv-2")
	b.inv.Spec.RequireReporting = true
	_, err = b.work(t.Context())
	f := requireKind(t, installer.KindNotReporting, err)
	assert.Contains(t, f.Detail, "already there, healthy, but cannot report: its configuration lacks AccessKey")
	b.again("inv-3")
	b.agent(standin.Options{Version: "1.3.0"})
	_, err = b.work(t.Context())
	f = requireKind(t, installer.KindNotReporting, err)
	assert.Contains(t, f.Detail, "the agent cannot report: its configuration lacks AccessKey")
}

// TestCheckRequiresReporting: a look that requires it fails where the agent cannot report, and where there is none.
func TestCheckRequiresReporting(t *testing.T) {
	t.Parallel()
	b := newBed(t, sshtest.Config{}, "root")
	packages := b.packages("1.2.3")
	look := installer.Spec{CheckOnly: true, RequireReporting: true}
	_, err := b.do("none", installer.Install, look)
	f := requireKind(t, installer.KindAgentMissing, err)
	assert.Equal(t, "there is no agent on the host that could report", f.Detail)
	_, err = b.do("inv-2", installer.Install, packages)
	require.NoError(t, err, b.out.String())
	outcome, err := b.do("no", installer.Install, look)
	f = requireKind(t, installer.KindNotReporting, err)
	assert.Contains(t, f.Detail, "the agent is healthy 1.2.3 and cannot report: its configuration lacks AccessKey")
	assert.Equal(t, installer.ReportingNo, outcome.Reporting.Able)
	assert.Equal(t, installer.AgentRunning, outcome.Agent)

	packages.Agent = &installer.AgentConfig{ProjectID: "p", InstanceID: "i"}
	b.creds.Agent = installer.AgentKeys{AccessKey: installer.NewSecret("a"), SecretKey: installer.NewSecret("s")}
	_, err = b.do("inv-3", installer.Install, packages)
	require.NoError(t, err, b.out.String())
	outcome, err = b.do("yes", installer.Install, look)
	require.NoError(t, err)
	assert.Equal(t, installer.ReportingYes, outcome.Reporting.Able)
}

// TestReportingUnknown: what nobody could find out is told with its reason.
func TestReportingUnknown(t *testing.T) {
	t.Parallel()
	w := work{job: &installer.Job{}}
	w.found.add(hostshell.ParseFinding("agent reporting=unknown why=its%20configuration%20cannot%20be%20read"))
	assert.Equal(t, "agent healthy; whether it can report is not known: its configuration cannot be read",
		withReporting("agent healthy", w.reporting(w.found.reporting)))
}
