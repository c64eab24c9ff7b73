package scripts_test

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer/sshtest"
	"tripod/testdata/agent"
)

// cloud is a fake metadata service and a fake Cloud Eye endpoint.
type cloud struct {
	*httptest.Server
	mu       sync.Mutex
	answers  map[string]string // path: body
	reported []http.Header
}

func newCloud(t *testing.T) *cloud {
	t.Helper()
	c := &cloud{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		defer c.mu.Unlock()
		if r.Method == http.MethodPost {
			r.Header.Set("Path", r.URL.Path)
			c.reported = append(c.reported, r.Header)
			return
		}
		switch body, ok := c.answers[r.URL.Path]; {
		case !ok:
			http.NotFound(w, r)
		case strings.HasPrefix(body, "/"):
			http.Redirect(w, r, body, http.StatusFound)
		default:
			_, _ = w.Write([]byte(body))
		}
	}))
	t.Cleanup(c.Close)
	return c
}

func (c *cloud) address() string { return strings.TrimPrefix(c.URL, "http://") }

// answer sets what the metadata service tells: nothing where that is empty.
func (c *cloud) answer(about, keys string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answers = map[string]string{"/elsewhere": `{"credential": {"access": "A", "secret": "S"}}`}
	for path, body := range map[string]string{metaData: about, securityKey: keys} {
		if body != "" {
			c.answers[path] = body
		}
	}
}

// last is how an agent has reported last.
func (c *cloud) last(t *testing.T) http.Header {
	t.Helper()
	var last http.Header
	require.Eventually(t, func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		if len(c.reported) > 0 {
			last, c.reported = c.reported[len(c.reported)-1], nil
		}
		return last != nil
	}, time.Minute, 10*time.Millisecond)
	return last
}

const (
	metaData    = "/openstack/latest/meta_data.json"
	securityKey = "/openstack/latest/securitykey"
)

// configuration is what a file of the agent's says.
func (h *host) configuration(layout, file string) map[string]any {
	h.t.Helper()
	text, err := os.ReadFile(filepath.Join(h.root, places[layout], file))
	require.NoError(h.t, err)
	var all map[string]any
	require.NoError(h.t, json.Unmarshal(text, &all), "%s", text)
	return all
}

// Region and endpoint are the same in every file that has them, over what is kept of
// another region; what nobody has named stays, and so do the user's plugins.
func TestConfigurationIsConsistent(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	keep := filepath.Join(h.dir, "kept")
	install := func(s settings, o agent.Options) result {
		t.Helper()
		s["TRIPOD_PACKAGE"], s["TRIPOD_KEEP"] = agent.Build(t, o), keep
		return h.want(0, "install.sh", s)
	}
	is := func(layout, region string, files ...string) {
		t.Helper()
		assert.Equal(t, region, h.configuration(layout, "bin/conf.json")["RegionId"])
		for _, file := range files {
			assert.Equal(t, "https://ces."+region+".example.com", h.configuration(layout, file)["Endpoint"], file)
		}
	}
	// 1.0.9 has no conf_assistant.json.
	install(settings{"TRIPOD_REGION": "r-2", "TRIPOD_INSTANCE_ID": "i-1"}, agent.Options{Version: "1.0.9"})
	is("old", "r-2", "bin/conf_ces.json")
	assert.NoFileExists(t, filepath.Join(h.root, places["old"], "bin/conf_assistant.json"))
	plugin := filepath.Join(h.root, places["old"], "plugins/mine")
	require.NoError(t, os.Mkdir(filepath.Dir(plugin), 0o700))
	require.NoError(t, os.WriteFile(plugin, []byte("mine"), 0o640))

	install(settings{}, agent.Options{Version: "2.0", Layout: "new"})
	is("new", "r-2", "bin/conf_ces.json", "bin/conf_assistant.json")
	custom := h.configuration("new", "conf/custom_conf.json")
	assert.Equal(t, map[string]any{"RegionId": "r-2", "Process": map[string]any{"Endpoint": "mine"}}, custom)
	assert.Equal(t, "i-1", h.configuration("new", "bin/conf.json")["InstanceId"])
	plugin = filepath.Join(h.root, places["new"], "plugins/mine")
	info, err := os.Stat(plugin)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o640), info.Mode().Perm())

	install(settings{"TRIPOD_REGION": "r-3"}, agent.Options{Version: "3.0", Layout: "new"})
	is("new", "r-3", "bin/conf_ces.json", "bin/conf_assistant.json")
	assert.Equal(t, "r-3", h.configuration("new", "conf/custom_conf.json")["RegionId"])
	assert.FileExists(t, plugin)
	h.want(0, "configure.sh", settings{"TRIPOD_ENDPOINT": "https://ces.elsewhere"})
	assert.Equal(t, "https://ces.elsewhere", h.configuration("new", "bin/conf_assistant.json")["Endpoint"])

	// The way back has the configuration that there was.
	h.want(0, "install.sh", settings{"TRIPOD_RESTORE": keep, "TRIPOD_KEEP": keep, "TRIPOD_REGION": "r-4"})
	is("new", "r-2", "bin/conf_ces.json", "bin/conf_assistant.json")
	h.want(0, "uninstall.sh", nil)
	h.uninstalled()
}

// The agent that is there gets another configuration, starts with it, and gets the old one
// back where that fails.
func TestConfigure(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	h := newHost(t)
	bin := filepath.Join(h.root, places["old"], "bin")
	read := func() string {
		t.Helper()
		text, err := os.ReadFile(filepath.Join(bin, "conf.json"))
		require.NoError(t, err)
		assert.NoDirExists(t, filepath.Join(bin, "../.tripod-config"))
		return string(text)
	}
	assert.Contains(t, h.want(exitPackage, "configure.sh", nil).stderr, "there is no agent to configure")
	h.want(0, "install.sh", settings{"TRIPOD_PACKAGE": agent.Build(t, agent.Options{})})
	require.NoError(t, os.Chmod(filepath.Join(bin, "conf.json"), 0o644))
	before := read()

	// One with which it cannot report, where that is asked for, is none.
	r := h.want(exitReporting, "configure.sh",
		settings{"TRIPOD_INSTANCE_ID": "i-2", "TRIPOD_BMS": "true", "TRIPOD_REQUIRE_REPORTING": "yes"})
	assert.Contains(t, lastLine(r.stderr), "no metadata service answers; the previous configuration was put back, healthy")
	assert.Equal(t, before, read())

	s := settings{
		"TRIPOD_ACCESS_KEY": "AK", "TRIPOD_SECRET_KEY": "SK", "TRIPOD_INSTANCE_ID": "i-1", "TRIPOD_PROJECT_ID": "p-1",
		"TRIPOD_REGION": "r-1", "TRIPOD_ENDPOINT": c.URL, "TRIPOD_REQUIRE_REPORTING": "yes",
	}
	r = h.want(0, "configure.sh", s)
	assert.Equal(t, "changed", r.found["configured"])
	assert.Equal(t, "yes", r.found["reporting"])
	healthy(t, r, "1.2.3", "old")
	signed := c.last(t)
	assert.Equal(t, []string{"AK", "i-1", "r-1", "/V1.0/p-1/agent-status"},
		[]string{signed.Get("X-Access"), signed.Get("X-Instance"), signed.Get("X-Region"), signed.Get("Path")})
	assert.Equal(t, fmt.Sprintf("%x", sha256.Sum256([]byte("SK\nAK\ni-1\np-1\nr-1\n"))), signed.Get("X-Signature"))
	info, err := os.Stat(filepath.Join(bin, "conf.json"))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	configured := read()
	assert.Equal(t, strings.NewReplacer(`"InstanceId":""`, `"InstanceId":"i-1"`, `"ProjectId": ""`, `"ProjectId": "p-1"`,
		`"AccessKey": ""`, `"AccessKey": "AK"`,
		`"SecretKey": ""`, `"SecretKey": "SK"`, "region-1", "r-1").Replace(before), configured)

	running := h.telescopes()
	assert.Equal(t, "same", h.want(0, "configure.sh", s).found["configured"])
	files := h.files()
	assert.Equal(t, "same", h.want(0, "probe.sh", s).found["configured"])
	assert.Empty(t, h.want(0, "probe.sh", nil).found["configured"])
	assert.Equal(t, files, h.files(), "a look changes nothing")
	assert.Equal(t, running, h.telescopes(), "nothing is to be done, so nothing is restarted")

	// A file that cannot be edited costs nothing.
	require.NoError(t, os.WriteFile(filepath.Join(bin, "conf_ces.json"), []byte("Endpoint=1"), 0o600))
	r = h.want(exitHost, "configure.sh", settings{"TRIPOD_REGION": "r-2", "TRIPOD_ENDPOINT": "https://x"})
	assert.Contains(t, r.stderr, "conf_ces.json is not a JSON object")
	assert.Equal(t, configured, read())
	require.NoError(t, os.Remove(filepath.Join(bin, "conf_ces.json")))
	assert.Equal(t, running, h.telescopes())

	// One that is stopped on purpose stays so.
	kill(t, running...)
	h.appended = meant
	r = h.want(0, "configure.sh", settings{"TRIPOD_INSTANCE_ID": "i-3"})
	h.appended = ""
	assert.Equal(t, []string{"changed", "stopped"}, []string{r.found["configured"], r.found["agent"]})
	assert.Equal(t, "i-3", h.configuration("old", "bin/conf.json")["InstanceId"])
	assert.Empty(t, h.telescopes())
	h.want(0, "uninstall.sh", nil)
	h.uninstalled()
}

// A change of the configuration that is cut off anywhere is undone by the next run, whatever
// that is, and never half of it stays.
func TestConfigureCutOffAnywhere(t *testing.T) {
	t.Parallel()
	c := newCutter(newHost(t))
	pack := agent.Build(t, agent.Options{})
	c.alive(0, "install.sh", settings{"TRIPOD_PACKAGE": pack})
	change := settings{"TRIPOD_REGION": "r-2", "TRIPOD_INSTANCE_ID": "i-2"}
	c.alive(0, "configure.sh", settings{"TRIPOD_REGION": "r-1", "TRIPOD_INSTANCE_ID": "i-1"})
	before := map[string][]byte{}
	files, err := filepath.Glob(filepath.Join(c.root, places["old"], "bin/conf*.json"))
	require.NoError(t, err)
	require.Len(t, files, 3)
	for _, file := range files {
		before[file], err = os.ReadFile(file)
		require.NoError(t, err)
	}
	died, calls := c.cut("never", "configure.sh", change)
	require.False(t, died)
	require.Greater(t, len(calls), 10, "%s", calls)
	for n := 1; n <= len(calls); n += sshtest.EveryNth() {
		c.shell = shells[n%len(shells)]
		need(t, c.shell[0])
		for file, text := range before {
			require.NoError(t, os.WriteFile(file, text, 0o600))
		}
		died, calls := c.cut(fmt.Sprint(n, ".0"), "configure.sh", change)
		require.True(t, died, "%d of %s", n, calls)
		want := "i-1"
		switch n % 3 {
		case 0: // what the change has named stays as it was
			c.alive(0, "configure.sh", settings{"TRIPOD_PROJECT_ID": fmt.Sprint(n)})
		case 1:
			c.alive(0, "install.sh", settings{"TRIPOD_PACKAGE": pack})
		case 2:
			c.alive(0, "configure.sh", change)
			want = "i-2"
		}
		conf := c.configuration("old", "bin/conf.json")
		if done := conf["InstanceId"] == "i-2" && conf["RegionId"] == "r-2"; !done { // all was over but the clearing up
			assert.Equal(t, []any{want, "r" + want[1:]}, []any{conf["InstanceId"], conf["RegionId"]}, "%d of %s", n, calls)
		}
		for _, file := range []string{"bin/conf_ces.json", "bin/conf_assistant.json"} {
			want := fmt.Sprintf("https://ces.%s.example.com", conf["RegionId"])
			assert.Equal(t, want, c.configuration("old", file)["Endpoint"], "%d of %s", n, calls)
		}
		left, err := filepath.Glob(filepath.Join(c.root, places["old"], ".tripod-config*"))
		require.NoError(t, err)
		assert.Empty(t, left)
		c.sweep()
	}
	c.alive(0, "uninstall.sh", nil)
	c.uninstalled()
}

// What the agent needs to report is its own, or the metadata service has it.
func TestReporting(t *testing.T) {
	t.Parallel()
	c := newCloud(t)
	h := newHost(t)
	require.NoError(t, os.MkdirAll(filepath.Join(h.root, "etc"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(h.root, "etc/metadata-service"), []byte(c.address()), 0o600))
	about := `{"uuid": "i-9", "project_id": "p-9", "meta": {}}`
	agency := `{"credential": {"access": "AK9", "secret": "SK9", "securitytoken": "T", "expires_at": "2030"}}`
	c.answer(about, agency)
	h.want(0, "install.sh", settings{"TRIPOD_PACKAGE": agent.Build(t, agent.Options{}), "TRIPOD_ENDPOINT": c.URL})
	signed := c.last(t)
	assert.Equal(t, []string{"AK9", "i-9"}, []string{signed.Get("X-Access"), signed.Get("X-Instance")}, "the agency's")

	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	t.Cleanup(silent.Close)
	conf := filepath.Join(h.root, places["old"], "bin/conf.json")
	own := `"AccessKey": "AK", "SecretKey": "SK"`
	ids := `"InstanceId": "i", "ProjectId": "p"`
	for name, tt := range map[string]struct {
		conf             string
		about, keys      string
		address, is, why string
	}{
		"all its own":       {own + "," + ids, "", "", "", "yes", ""},
		"all from outside":  {``, about, agency, "", "yes", ""},
		"nobody answers":    {``, "", "", "none", "no", "lacks AccessKey, SecretKey, InstanceId, ProjectId, and no"},
		"no agency":         {ids, about, "", "", "no", "no credentials"},
		"an empty agency":   {ids, "", `{"credential": {"access": "", "secret": ""}}`, "", "no", "no credentials"},
		"one key":           {`"AccessKey": "AK",` + ids, "", "", "", "no", "no credentials"},
		"no instance id":    {own, `{"uuid": "", "project_id": "p"}`, "", "", "no", "no instance id"},
		"no project id":     {own + `, "InstanceId": "i"`, `{"uuid": "i"}`, "", "", "no", "no project id"},
		"led elsewhere":     {ids, "", "/elsewhere", "", "no", "no credentials"},
		"it answers nobody": {own, "", "", strings.TrimPrefix(silent.URL, "http://"), "no", "no metadata service answers"},
	} {
		c.answer(tt.about, tt.keys)
		s := settings{"TRIPOD_METADATA": cmp.Or(tt.address, c.address())}
		if tt.address == "none" {
			s = nil
		}
		require.NoError(t, os.WriteFile(conf, []byte("{"+tt.conf+"}"), 0o600))
		r := h.want(0, "probe.sh", s)
		assert.Equal(t, tt.is, r.found["reporting"], name)
		why, err := url.PathUnescape(r.found["why"])
		require.NoError(t, err)
		assert.Contains(t, why, tt.why, name)
	}
	require.NoError(t, os.WriteFile(conf, []byte("{}"), 0o600))
	assert.Equal(t, "no", h.want(0, "verify.sh", nil).found["reporting"])
	r := h.want(exitReporting, "verify.sh", settings{"TRIPOD_REQUIRE_REPORTING": "yes"})
	assert.Contains(t, r.stderr, "the agent cannot report: its configuration lacks")
	require.NoError(t, os.Remove(filepath.Join(h.root, "etc/metadata-service")))
	h.want(0, "uninstall.sh", nil)
	h.uninstalled()
}
