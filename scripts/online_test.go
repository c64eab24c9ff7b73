package scripts_test

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/testdata/agent"
)

// mirror serves agent_install.sh and the agent's archives, as the official
// place does.
type mirror struct {
	*httptest.Server
	mu     sync.Mutex
	asked  []string
	script string
	files  map[string]string // version: archive
}

// officialInstaller does what the official one does: it downloads the package
// of that version and region, and runs its installer. That of old regions has no options.
const officialInstaller = `#!/bin/bash
root=${TRIPOD_ROOT:-}
while getopts t:r:u:d:o: option; do
	case $option in
	t) version=$OPTARG ;;
	r) region=$OPTARG ;;
	u | d | o) echo "-$option $OPTARG" ;;
	*) exit 2 ;;
	esac
done
[ $# -gt 0 ] || region=r-1
echo "version ${version:-newest} of $region, arguments $#"
curl -sSfk -o telescope.tar.gz "$MIRROR/$region/${version:-newest}.tar.gz" || exit 0
tar -xzf telescope.tar.gz && cd telescope_linux_*/ && bash ./install.sh
`

func newMirror(t *testing.T, start func(http.Handler) *httptest.Server) *mirror {
	t.Helper()
	m := &mirror{files: map[string]string{}}
	m.Server = start(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.asked = append(m.asked, r.URL.Path)
		switch {
		case r.URL.Path == "/agent/moved/agent_install.sh":
			http.Redirect(w, r, "/agent/agent_install.sh", http.StatusFound)
		case r.URL.Path == "/agent/agent_install.sh", r.URL.Path == "/agent/old/agentInstall.sh":
			_, _ = w.Write([]byte(m.script))
		case r.URL.Path == "/agent/page/agent_install.sh":
			_, _ = w.Write([]byte("<html>log in first</html>"))
		case strings.HasPrefix(r.URL.Path, "/agent/r-1/"):
			file, ok := m.files[strings.TrimSuffix(filepath.Base(r.URL.Path), ".tar.gz")]
			if !ok {
				http.NotFound(w, r)
				return
			}
			http.ServeFile(w, r, file)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(m.Close)
	m.script = strings.ReplaceAll(officialInstaller, "$MIRROR", m.URL+"/agent")
	return m
}

func (m *mirror) settings(more settings) settings {
	s := settings{"TRIPOD_ONLINE_URL": m.URL + "/agent", "TRIPOD_REGION": "r-1"}
	for key, value := range more {
		s[key] = value
	}
	return s
}

// The agent from the network, with either program that downloads: installed,
// updated with its configuration, the version before kept.
func TestOnline(t *testing.T) {
	t.Parallel()
	for _, program := range []string{"curl", "wget"} {
		t.Run(program, func(t *testing.T) {
			t.Parallel()
			need(t, "curl")
			need(t, program)
			m := newMirror(t, httptest.NewServer)
			m.files["newest"] = agent.Build(t, agent.Options{Version: "1.0.1"})
			m.files["2.0.0"] = agent.Build(t, agent.Options{Version: "2.0.0"})
			h := newHost(t)
			if program == "wget" {
				h.hide("curl")
			}
			keep := filepath.Join(h.dir, "kept")

			r := h.want(0, "install.sh", m.settings(settings{"TRIPOD_KEEP": keep}))
			healthy(t, r, "1.0.1", "old")
			assert.Contains(t, r.stdout, "version newest of r-1, arguments 2\n")
			assert.NoDirExists(t, keep)
			assert.Empty(t, h.work())

			conf := filepath.Join(h.root, "usr/local/telescope/bin/conf.json")
			require.NoError(t, os.WriteFile(conf, []byte(`{"InstanceId":"i-1"}`), 0o600))
			r = h.want(0, "install.sh", m.settings(settings{"TRIPOD_KEEP": keep, "TRIPOD_VERSION": "2.0.0"}))
			healthy(t, r, "2.0.0", "old")
			assert.Contains(t, r.stdout, "version 2.0.0 of r-1, arguments 4\n")
			assert.Equal(t, "1.0.1", r.found["kept"])
			text, err := os.ReadFile(conf)
			require.NoError(t, err)
			assert.JSONEq(t, `{"InstanceId":"i-1","RegionId":"r-1"}`, string(text))
			healthy(t, h.want(0, "verify.sh", settings{"TRIPOD_VERSION": "2.0.0"}), "2.0.0", "old")

			// Another version than asked for is no success.
			m.files["3.0.0"] = m.files["2.0.0"]
			h.want(exitOtherVers, "install.sh", m.settings(settings{"TRIPOD_VERSION": "3.0.0"}))
			h.want(0, "uninstall.sh", nil)
			h.uninstalled()
		})
	}
}

// What the documentation of a region asks for is passed on. Old regions have another installer,
// without options.
func TestOnlineOptions(t *testing.T) {
	t.Parallel()
	need(t, "curl")
	m := newMirror(t, httptest.NewServer)
	m.files["newest"] = agent.Build(t, agent.Options{Version: "1.0.1"})
	h := newHost(t)
	r := h.want(0, "install.sh", m.settings(settings{
		"TRIPOD_ONLINE_UNIAGENT": "1.1.7", "TRIPOD_ONLINE_DOMAIN": "agent.example.com:8443", "TRIPOD_ONLINE_OBS": "obs.example.com",
	}))
	assert.Contains(t, r.stdout, "-u 1.1.7\n-d agent.example.com:8443\n-o obs.example.com\nversion newest of r-1, arguments 8\n")
	h.want(0, "uninstall.sh", nil)
	r = h.want(0, "install.sh", settings{"TRIPOD_ONLINE_URL": m.URL + "/agent/old", "TRIPOD_ONLINE_SCRIPT": "agentInstall.sh", "TRIPOD_VERSION": "1.0.1"})
	assert.Contains(t, r.stdout, "version newest of r-1, arguments 0\n")
	h.want(0, "uninstall.sh", nil)
	h.uninstalled()
}

// An installer that ends without an agent must not have cost the one that was
// there.
func TestOnlineLeavesNoAgent(t *testing.T) {
	t.Parallel()
	need(t, "curl")
	m := newMirror(t, httptest.NewServer)
	m.files["1.0.0"] = agent.Build(t, agent.Options{Version: "1.0.0"})
	h := newHost(t)
	keep := filepath.Join(h.dir, "kept")
	r := h.want(exitInstaller, "install.sh", m.settings(settings{"TRIPOD_VERSION": "9", "TRIPOD_KEEP": keep}))
	assert.Contains(t, r.stderr, "left no agent")
	h.uninstalled()

	h.want(0, "install.sh", m.settings(settings{"TRIPOD_VERSION": "1.0.0", "TRIPOD_KEEP": keep}))
	r = h.want(exitInstaller, "install.sh", m.settings(settings{"TRIPOD_VERSION": "9", "TRIPOD_KEEP": keep}))
	assert.Contains(t, r.stderr, "version 1.0.0 was put back, healthy")
	healthy(t, r, "1.0.0", "old")
	h.want(0, "uninstall.sh", nil)
	h.uninstalled()
}

// Without a wanted version nobody knows beforehand whether another one comes.
// What is kept must be the last other one, and what comes back after a failure
// the one that was there.
func TestOnlineKeeps(t *testing.T) {
	t.Parallel()
	need(t, "curl")
	m := newMirror(t, httptest.NewServer)
	h := newHost(t)
	keep := filepath.Join(h.dir, "kept")
	install := func(code int) result {
		t.Helper()
		return h.want(code, "install.sh", m.settings(settings{"TRIPOD_KEEP": keep}))
	}
	kept := func(when string) {
		t.Helper()
		assert.Equal(t, "1.0.1", h.run("probe.sh", settings{"TRIPOD_KEEP": keep}).found["kept"], when)
		assert.NoDirExists(t, keep+".next", when)
	}
	m.files["newest"] = agent.Build(t, agent.Options{Version: "1.0.1"})
	install(0)
	m.files["newest"] = agent.Build(t, agent.Options{Version: "2.0.0"})
	healthy(t, install(0), "2.0.0", "old")
	kept("another version came")
	healthy(t, install(0), "2.0.0", "old")
	kept("the same version came again")

	newest := m.files["newest"]
	delete(m.files, "newest")
	r := install(exitInstaller)
	assert.Contains(t, r.stderr, "version 2.0.0 was put back, healthy")
	kept("nothing came")

	// A run that was cut off has left its copy.
	m.files["newest"] = newest
	require.NoError(t, os.Rename(keep, keep+".next"))
	install(0)
	kept("cut off after the new version came")
	h.want(0, "uninstall.sh", nil)
	require.NoError(t, os.Rename(keep, keep+".next"))
	healthy(t, install(0), "2.0.0", "old")
	kept("cut off before the new version came")
	h.want(0, "uninstall.sh", nil)
	h.uninstalled()
}

// What is refused is refused before anything has changed.
func TestOnlineRefusals(t *testing.T) {
	t.Parallel()
	need(t, "curl")
	m := newMirror(t, httptest.NewServer)
	secure := newMirror(t, httptest.NewTLSServer)
	h := newHost(t)
	for name, tt := range map[string]struct {
		code int
		s    settings
		says string
	}{
		"no region":           {exitUsage, settings{"TRIPOD_ONLINE_URL": m.URL}, "TRIPOD_REGION"},
		"a region of options": {exitUsage, m.settings(settings{"TRIPOD_REGION": "-x"}), "TRIPOD_REGION"},
		"plain http":          {exitUsage, m.settings(settings{"TRIPOD_ONLINE_URL": "http://mirror.example.com/a"}), "must be https"},
		"nearly loopback":     {exitUsage, m.settings(settings{"TRIPOD_ONLINE_URL": "http://localhost.example.com/a"}), "must be https"},
		"another scheme":      {exitUsage, m.settings(settings{"TRIPOD_ONLINE_URL": "file:///etc/passwd"}), "must be an https URL"},
		"a command":           {exitUsage, m.settings(settings{"TRIPOD_ONLINE_URL": "https://x/$(reboot)"}), "characters"},
		"another prefix":      {exitUsage, m.settings(settings{"TRIPOD_PREFIX": "/opt"}), "its own place"},
		"another installer":   {exitUsage, m.settings(settings{"TRIPOD_ONLINE_SCRIPT": "other.sh"}), "TRIPOD_ONLINE_SCRIPT"},
		"a value as option":   {exitUsage, m.settings(settings{"TRIPOD_ONLINE_UNIAGENT": "-x"}), "TRIPOD_ONLINE_UNIAGENT"},
		"a domain's command":  {exitUsage, m.settings(settings{"TRIPOD_ONLINE_OBS": "x$(reboot)"}), "TRIPOD_ONLINE_OBS"},
		"options of old ones": {exitUsage, m.settings(settings{"TRIPOD_ONLINE_SCRIPT": "agentInstall.sh", "TRIPOD_ONLINE_DOMAIN": "x"}), "no options"},
		"not there":           {exitDownload, m.settings(settings{"TRIPOD_ONLINE_URL": m.URL + "/nothing"}), "404"},
		"moved":               {exitDownload, m.settings(settings{"TRIPOD_ONLINE_URL": m.URL + "/agent/moved"}), ""},
		"a page":              {exitDownload, m.settings(settings{"TRIPOD_ONLINE_URL": m.URL + "/agent/page"}), "not a script"},
		"a strange authority": {exitDownload, secure.settings(nil), "certificate"},
		"yes and no":          {exitUsage, m.settings(settings{"TRIPOD_ONLINE_INSECURE": "maybe"}), "yes or no"},
	} {
		t.Run(name, func(t *testing.T) {
			r := h.want(tt.code, "install.sh", tt.s)
			assert.Contains(t, r.stderr, tt.says)
			assert.Empty(t, h.work())
			h.uninstalled()
		})
	}

	// busybox's wget checks no certificate.
	other := newHost(t)
	other.hide("curl")
	other.shim("wget", "#!/bin/sh\necho 'BusyBox v1.35' >&2\nexit 1\n")
	assert.Contains(t, other.want(exitHost, "install.sh", secure.settings(nil)).stderr, "lacks curl and GNU wget")

	// The certificate is checked; a known one will do, and so will none at all
	// where that is said.
	secure.files["newest"] = agent.Build(t, agent.Options{Version: "1.0.1"})
	healthy(t, h.want(0, "install.sh", secure.settings(settings{"TRIPOD_ONLINE_INSECURE": "yes"})), "1.0.1", "old")
	h.want(0, "uninstall.sh", nil)
	authority := filepath.Join(h.dir, "ca.pem")
	require.NoError(t, os.WriteFile(authority, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw}), 0o600))
	h.shim("curl", "#!/bin/sh\nexec "+lookPath(t, "curl")+" --cacert "+authority+" \"$@\"\n")
	healthy(t, h.want(0, "install.sh", secure.settings(nil)), "1.0.1", "old")
	h.want(0, "uninstall.sh", nil)
	h.uninstalled()
}

// Only what is kept in the wanted version is put back.
func TestRestoreOfAnotherVersion(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	keep := filepath.Join(h.dir, "kept")
	h.want(0, "install.sh", settings{"TRIPOD_PACKAGE": agent.Build(t, agent.Options{Version: "1.0"})})
	h.want(0, "install.sh", settings{"TRIPOD_PACKAGE": agent.Build(t, agent.Options{Version: "2.0"}), "TRIPOD_KEEP": keep})
	r := h.want(exitPackage, "install.sh", settings{"TRIPOD_RESTORE": keep, "TRIPOD_VERSION": "0.9"})
	assert.Contains(t, r.stderr, "version 1.0 is kept")
	healthy(t, h.want(0, "verify.sh", nil), "2.0", "old")

	// verify can be asked for the opposite.
	r = h.want(exitUnhealthy, "verify.sh", settings{"TRIPOD_ABSENT": "yes"})
	assert.Contains(t, r.stderr, "left behind")
	assert.Equal(t, "healthy", r.found["agent"])
	h.want(0, "uninstall.sh", nil)
	r = h.want(0, "verify.sh", settings{"TRIPOD_ABSENT": "yes"})
	assert.Equal(t, "none", r.found["agent"])
	init := filepath.Join(h.root, "etc/init.d/telescoped")
	require.NoError(t, os.MkdirAll(filepath.Dir(init), 0o755))
	require.NoError(t, os.WriteFile(init, nil, 0o755))
	h.want(exitUnhealthy, "verify.sh", settings{"TRIPOD_ABSENT": "yes"})
	require.NoError(t, os.Remove(init))
	h.uninstalled()
}
