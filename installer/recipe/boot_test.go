package recipe

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/recipe/hostshell"
	"tripod/installer/sshtest"
)

// What people are told of the start at boot, and of agents in other places.
func TestNotesOfTheAgent(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]struct {
		state installer.BootState
		note  string
	}{
		"agent agent=healthy":                 {"", ""},
		"agent boot=enabled":                  {installer.BootEnabled, ""},
		"agent boot=unknown":                  {installer.BootUnknown, ""},
		"agent boot=unknown why=no%20answer":  {installer.BootUnknown, "; whether it starts at boot is not known: no answer"},
		"agent boot=disabled":                 {installer.BootDisabled, "; it does not start at boot: no reason given"},
		"agent boot=disabled why=a%1b%5b31mb": {installer.BootDisabled, `; it does not start at boot: a\x1b[31mb`},
		"agent boot=anything%20else":          {installer.BootUnknown, ""},
	} {
		w := work{job: &installer.Job{}}
		w.found.add(hostshell.ParseFinding(line))
		assert.Equal(t, want.state, w.found.bootState(), line)
		assert.Equal(t, want.note, w.bootNote(&w.found), line)
	}
	for line, want := range map[string]string{
		"agent agent=healthy":                                    "",
		"agent agent=healthy at=/opt/telescope":                  " in /opt/telescope",
		"agent agent=healthy elsewhere=/opt/telescope%0A/srv%1b": `, another one in /opt/telescope, /srv\x1b`,
	} {
		w := work{job: &installer.Job{}}
		w.found.add(hostshell.ParseFinding(line))
		assert.Equal(t, want, w.placeNote(&w.found), line)
	}
}

// An agent that was stopped on purpose is updated, and stopped again; and it is told
// that it does not start at boot.
func TestUpdateOfAStoppedAgent(t *testing.T) {
	t.Parallel()
	b := installedBed(t)
	b.srv.KillProcesses()
	b.task("inv-2", installer.Update, b.packages("2.0.0"))
	b.settings += `init_system() { init=systemd; }
systemctl() { case $1 in show) printf '%s\n' ActiveState=inactive Result=success ;; is-enabled) echo disabled ;; *) return 1 ;; esac; }
`
	outcome, err := b.finish()
	require.NoError(t, err, b.out.String())
	assert.Equal(t, "updated: agent stopped, as it was before, version 2.0.0; it does not start at boot: the service telescoped is not enabled", outcome.Message)
	assert.Equal(t, installer.AgentStopped, outcome.Agent)
	rec, found := b.attempt().Step(installer.StepVerify)
	require.True(t, found)
	assert.Equal(t, installer.BootDisabled, rec.Found.AtBoot)
}

// putElsewhere puts an agent, which does not run, in another place, and gives it the service.
func (b *bed) putElsewhere() (dir string) {
	dir = b.srv.Path("opt/telescope")
	require.NoError(b.t, os.MkdirAll(dir+"/bin", 0o755))
	require.NoError(b.t, os.WriteFile(dir+"/telescoped", nil, 0o755))
	require.NoError(b.t, os.WriteFile(b.srv.Path("etc/init.d/telescoped"), []byte("#!/bin/bash\nBIN_DIR="+dir+"\n"), 0o755))
	return dir
}

// Beside an agent in another place none is installed or configured, which is known before
// anything is sent; a look names the place.
func TestAgentElsewhere(t *testing.T) {
	t.Parallel()
	b := newBed(t, sshtest.Config{}, "root")
	dir := b.putElsewhere()
	outcome, err := b.do("look", installer.Install, installer.Spec{CheckOnly: true})
	require.NoError(t, err)
	assert.Contains(t, outcome.Message, "agent unhealthy in "+dir)
	assert.Equal(t, installer.AgentFault, outcome.Agent)
	configuration := installer.Spec{Agent: &installer.AgentConfig{Region: "r"}}
	for _, c := range []struct {
		task installer.Type
		spec installer.Spec
	}{
		{installer.Install, b.packages("2.0.0")}, {installer.Update, b.packages("2.0.0")}, {installer.Configure, configuration},
		{installer.Rollback, installer.Spec{Restore: "1.0.0"}},
	} {
		_, err = b.do("inv-"+string(c.task), c.task, c.spec)
		f := requireKind(t, installer.KindUnsupportedHost, err)
		assert.Equal(t, installer.StepProbe, f.Step)
		assert.Contains(t, f.Detail, "there is an agent in "+dir)
		assert.Contains(t, f.Detail, "tripod uninstall")
	}
	assert.DirExists(t, dir)
	assert.Zero(t, b.agents())
	assert.Zero(t, b.srv.Counts().SFTPs, "nothing was sent")
}

// A ROLLBACK that uninstalls removes what its task has installed, and no agent that somebody
// has put elsewhere since.
func TestRollbackLeavesAnAgentElsewhere(t *testing.T) {
	t.Parallel()
	b := installedBed(t)
	install := *b.inv
	dir := b.putElsewhere()
	back := installer.RollbackOf(&install)
	outcome, err := b.do("back", installer.Rollback, back.Spec)
	require.NoError(t, err, b.out.String())
	assert.Equal(t, "uninstalled: nothing of the agent is left, another one in "+dir, outcome.Message)
	assert.Zero(t, b.agents())
	assert.NoDirExists(t, b.srv.Path("usr/local/telescope"))
	assert.FileExists(t, dir+"/telescoped")
	assert.FileExists(t, b.srv.Path("etc/init.d/telescoped"))
	_, err = b.do("uninstall", installer.Uninstall, installer.Spec{})
	require.NoError(t, err, b.out.String())
	assert.NoDirExists(t, dir)
	assert.NoFileExists(t, b.srv.Path("etc/init.d/telescoped"))
}
