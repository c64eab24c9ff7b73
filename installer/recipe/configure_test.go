package recipe

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/sshtest"
	standin "tripod/testdata/agent"
)

// conf reads a configuration file of the agent.
func (b *bed) conf(name string) (fields map[string]any) {
	text, err := os.ReadFile(b.srv.Path("usr/local/telescope/bin/" + name))
	require.NoError(b.t, err)
	require.NoError(b.t, json.Unmarshal(text, &fields), "%s", text)
	return fields
}

// TestConfiguration: an installation brings the configuration that the task names, and where the agent
// is there already, nothing but that is done.
func TestConfiguration(t *testing.T) {
	t.Parallel()
	yes, hostile := true, `'"\$(id)`+"`é "+strings.Repeat("x", 3000)
	b := newBed(t, sshtest.Config{}, "root").agent(standin.Options{Version: "1.2.3"})
	b.inv.Spec.Agent = &installer.AgentConfig{Region: "region-2", Endpoint: "https://ces.region-2.example.com", InstanceID: "i-1"}
	outcome, err := b.work(t.Context())
	require.NoError(t, err, b.out.String())
	require.Contains(t, outcome.Message, "installed: agent healthy, version 1.2.3; "+
		"it cannot report: its configuration lacks AccessKey, SecretKey, ProjectId, ")
	require.Equal(t, "region-2", b.conf("conf.json")["RegionId"])
	require.Equal(t, "i-1", b.conf("conf.json")["InstanceId"])
	require.Equal(t, "https://ces.region-2.example.com", b.conf("conf_ces.json")["Endpoint"])

	b.again("inv-2")
	b.inv.Spec.Agent = &installer.AgentConfig{ProjectID: `p'"\$`, BMS: &yes}
	b.inv.Spec.Packages = b.inv.Spec.Packages[:1] // none for this host: none is needed
	b.inv.Spec.Packages[0].Arch, b.inv.Spec.Packages[0].Version = "s390x", ""
	b.inv.Spec.Version = "1.2.3"
	b.creds.Agent = installer.AgentKeys{AccessKey: installer.NewSecret("CANARY-access"), SecretKey: installer.NewSecret("CANARY-secret" + hostile)}
	outcome, err = b.work(t.Context())
	require.NoError(t, err, b.out.String())
	require.Equal(t, "configured: agent healthy, version 1.2.3", outcome.Message)
	require.Equal(t, installer.ReportingYes, outcome.Reporting.Able)
	require.False(t, outcome.Skipped)
	require.True(t, outcome.Changed)
	conf := b.conf("conf.json")
	require.Equal(t, "region-2", conf["RegionId"], "what is not named stays")
	require.Equal(t, `p'"\$`, conf["ProjectId"])
	require.Equal(t, true, conf["BmsFlag"])
	require.Equal(t, "CANARY-access", conf["AccessKey"])
	require.Equal(t, "CANARY-secret"+hostile, conf["SecretKey"])
	require.Empty(t, b.runFolders())
	journal, err := json.Marshal(b.attempt())
	require.NoError(t, err)
	for _, command := range b.srv.Counts().Execs {
		require.NotContains(t, command, "CANARY")
	}
	require.NotContains(t, b.out.String()+string(journal), "CANARY")

	require.True(t, outcome.Configured)

	b.again("inv-3") // keys alone are a configuration, too
	b.inv.Spec.Agent = nil
	b.creds.Agent.AccessKey = installer.NewSecret("CANARY-other")
	outcome, err = b.work(t.Context())
	require.NoError(t, err, b.out.String())
	require.False(t, outcome.Skipped)
	require.Equal(t, "CANARY-other", b.conf("conf.json")["AccessKey"])

	for _, task := range []installer.Type{installer.Install, installer.Configure} { // it has them already
		b.again("same-" + string(task))
		b.inv.Type = task
		before := b.srv.Counts().Execs
		outcome, err = b.work(t.Context())
		require.NoError(t, err, b.out.String())
		require.True(t, outcome.Skipped)
		require.False(t, outcome.Changed)
		require.Equal(t, "already configured: healthy, version 1.2.3", outcome.Message)
		require.Equal(t, installer.ReportingYes, outcome.Reporting.Able)
		require.Equal(t, []installer.Step{"connect", "probe"}, b.steps())
		require.Len(t, b.srv.Counts().Execs, len(before)+1)
		require.Empty(t, b.runFolders())
	}
	b.inv.Type = installer.Install

	b.again("inv-4")
	b.creds.Agent = installer.AgentKeys{}
	outcome, err = b.work(t.Context())
	require.NoError(t, err, b.out.String())
	require.True(t, outcome.Skipped)
}

// TestSettings: which settings a host gets, by what is done there.
func TestSettings(t *testing.T) {
	t.Parallel()
	no := false
	spec := installer.Spec{
		Version: "1", Online: &installer.Online{URL: "https://m", Region: "r-online"},
		Agent: &installer.AgentConfig{Region: "r-agent", Endpoint: "https://e", ProjectID: "p", InstanceID: "it's", BMS: &no},
	}
	keys := installer.AgentKeys{AccessKey: installer.NewSecret("ak"), SecretKey: installer.NewSecret("sk")}
	const configuration = "TRIPOD_REGION='r-agent'\nTRIPOD_ENDPOINT='https://e'\nTRIPOD_PROJECT_ID='p'\n" +
		`TRIPOD_INSTANCE_ID='it'\''s'` + "\nTRIPOD_BMS='false'\nTRIPOD_ACCESS_KEY='ak'\nTRIPOD_SECRET_KEY='sk'\n"
	for k, want := range map[kind]string{
		agent: "TRIPOD_VERSION='1'\n" + configuration, configure: "TRIPOD_VERSION='1'\n" + configuration,
		online:    "TRIPOD_VERSION='1'\nTRIPOD_ONLINE_URL='https://m'\nTRIPOD_REGION='r-online'\n" + configuration,
		restore:   "TRIPOD_VERSION=''\n",
		remove:    "TRIPOD_VERSION=''\nTRIPOD_ABSENT=yes\nTRIPOD_LEAVE_ELSEWHERE=yes\n",
		checkOnly: "TRIPOD_VERSION='1'\n",
	} {
		inv := &installer.Invocation{Spec: spec}
		if k == restore || k == remove {
			inv.Type = installer.Rollback
		}
		w := &work{Recipe: &Recipe{}, kind: k, inv: inv, job: &installer.Job{Credentials: installer.Credentials{Agent: keys}}}
		require.Equal(t, want, w.settings(), k)
	}
	uninstall := &work{Recipe: &Recipe{}, kind: remove, inv: &installer.Invocation{Type: installer.Uninstall}, job: &installer.Job{}}
	require.Equal(t, "TRIPOD_VERSION=''\nTRIPOD_ABSENT=yes\n", uninstall.settings())
}
