package scripts_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/testdata/agent"
)

// Asking an agent for its version starts nothing: before 1.0.14.1 it knows
// -version alone, and starts on whatever else.
func TestLooksStartNothing(t *testing.T) {
	t.Parallel()
	for version, layout := range map[string]string{"1.0.9": "old", "1.0.14": "old", "1.0.14.1": "old", "2.7.2": "new"} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			r := h.want(0, "install.sh", settings{"TRIPOD_PACKAGE": agent.Build(t, agent.Options{Version: version, Layout: layout}), "TRIPOD_VERSION": version})
			assert.Equal(t, version, r.found["package_version"])
			running := h.telescopes()
			for _, script := range []string{"probe.sh", "verify.sh"} {
				healthy(t, h.want(0, script, nil), version, layout)
			}
			assert.Subset(t, h.telescopes(), running, "it runs on")
			started, err := os.ReadFile(filepath.Join(h.root, places[layout], "log/ces.log"))
			require.NoError(t, err)
			assert.Equal(t, "started as telescope \n", string(started))
			h.want(0, "uninstall.sh", nil)
			h.uninstalled()
		})
	}
}
