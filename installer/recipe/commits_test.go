package recipe

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/engine"
	"tripod/installer/sshdial"
	"tripod/installer/sshtest"
)

// TestCommitsOfAHost: how often a host of a batch waits for the disk of the database, one at a time
// so that no two share a commit by chance. docs/architecture.md says what each is for.
func TestCommitsOfAHost(t *testing.T) {
	t.Parallel()
	const hosts = 4
	store := openStore(t, t.TempDir()+"/state")
	t.Cleanup(func() { assert.NoError(t, store.Close()) })
	blobs := &memBlobs{}
	script := blobs.put("job.sh", []byte("exit 0\n"))
	batch := installer.Batch{BatchHead: installer.BatchHead{ID: "b", ProjectID: "p", Created: time.Now()}}
	for i := range hosts {
		srv := sshtest.Start(t, sshtest.Config{})
		id := fmt.Sprint("i-", i)
		batch.Items = append(batch.Items, installer.Item{
			Invocation: installer.Invocation{
				ID: id, ProjectID: "p", Type: installer.Install, RunID: id,
				Host: installer.Host{ID: fmt.Sprint("h-", i), Endpoint: srv.Endpoint("root")},
				Spec: installer.Spec{Target: "telescope", HostKeys: installer.AcceptNew, Script: &script},
			},
			Credentials: installer.Credentials{Login: srv.Login("root")},
		})
	}
	require.NoError(t, store.Submit(t.Context(), batch))
	dialer := sshdial.New(sshdial.Config{HostKeys: store})
	t.Cleanup(func() { assert.NoError(t, dialer.Close()) })
	before := store.Commits()
	d := engine.New(engine.Config{
		Queue: store, Worker: New(Config{Dial: dialWith(dialer), Blobs: blobs}), StopWhenIdle: true, Parallel: 1,
	})
	require.NoError(t, d.Run(t.Context()))
	head, err := store.Batch(t.Context(), "p", "b")
	require.NoError(t, err)
	require.Equal(t, hosts, head.ByState[installer.Succeeded])
	commits := store.Commits() - before
	t.Logf("%d commits for %d hosts", commits, hosts)
	// The key, the launch, and how the run ended; the end of one host and the claim of the next; the first claim.
	assert.EqualValues(t, 4*hosts+1, commits)
}
