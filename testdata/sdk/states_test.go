package sdk

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer/sshtest"
)

// file writes a file that only we can read and returns its path.
func (r *rig) file(name, text string) string {
	r.t.Helper()
	path := filepath.Join(r.dir, name)
	require.NoError(r.t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// TestStates: every invocation_status that the SDK has, but for ROLLBACKED and
// SUCCEEDED, which TestTasks comes to.
func TestStates(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	token := r.token("contract")
	script := r.file("slow.sh", "echo >\"$TRIPOD_ROOT/started\"\nsleep 600\n")
	d := r.serve("--script", script)
	c := client{t, d.withToken(project, token)}

	slow, canceled, locked := newHost(t), newHost(t), newHost(t)
	locked.Inject(sshtest.Fault{Stage: sshtest.Auth, Action: sshtest.Refuse, Match: "password"})
	install := func(c client, name string, host *sshtest.Server) string {
		return c.start(taskRequest{InvocationType: types.REMOTE_INSTALL, RemoteInstallMeta: ptr([]remoteHost{remote(name, host)})})[0]
	}
	running, cancel, failed := install(c, "slow", slow), install(c, "canceled", canceled), install(c, "locked", locked)
	for _, host := range []*sshtest.Server{slow, canceled} {
		eventually(t, "the script has started", func() bool {
			_, err := os.Stat(host.Path("started"))
			return err == nil
		})
	}
	assert.Equal(t, states.RUNNING, *c.invocation(running).InvocationStatus)
	waiting := install(c, "slow", slow) // one at a time on a host
	assert.Equal(t, states.PENDING, *c.invocation(waiting).InvocationStatus)

	r.must("cancel", "--server", d.url, "--token-file", r.file("token", token), cancel)
	assert.Equal(t, states.CANCELED, *c.ended(cancel)[0].InvocationStatus)
	item := c.ended(failed)[0]
	assert.Equal(t, states.FAILED, *item.InvocationStatus)
	assert.Contains(t, *item.ResultMsg, "auth-rejected")
	assert.NotContains(t, *item.ResultMsg, password)

	// Both are still open when the daemon ends. The next one is impatient with new work.
	d.end()
	d = r.serve("--script", script, "--timeout", "1s")
	c = client{t, d.withToken(project, token)}
	item = c.ended(install(c, "impatient", newHost(t)))[0]
	assert.Equal(t, states.TIMEOUT, *item.InvocationStatus)
	assert.Contains(t, *item.ResultMsg, "script-timeout")
}
