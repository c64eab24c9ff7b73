package control

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/plan"
)

// slowDisk is a store of batches that commits when it is told to, and refuses
// the same one twice.
type slowDisk struct {
	Store
	commit  chan error
	submits int

	mu    sync.Mutex
	heads map[string]installer.BatchHead
}

func (*slowDisk) AgentKeys(context.Context, string, installer.Host, *installer.Invocation) (installer.AgentKeys, error) {
	return installer.AgentKeys{}, nil
}

func (d *slowDisk) HostAt(context.Context, string, installer.Host) (installer.Host, error) {
	return installer.Host{}, installer.ErrNotFound
}

func (d *slowDisk) Batch(_ context.Context, project, id string) (installer.BatchHead, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	head, ok := d.heads[project+id]
	if !ok {
		return head, installer.ErrNotFound
	}
	return head, nil
}

func (d *slowDisk) Submit(_ context.Context, b installer.Batch) error {
	d.submits++
	if err := <-d.commit; err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, there := d.heads[b.ProjectID+b.ID]; there {
		return installer.ErrExists
	}
	d.heads[b.ProjectID+b.ID] = b.BatchHead
	return nil
}

// TestSentAgainWhileItIsStored: the second sending waits for its turn and is
// answered as the first one; nothing is done twice.
func TestSentAgainWhileItIsStored(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		disk := &slowDisk{commit: make(chan error), heads: map[string]installer.BatchHead{}}
		s := &service{Config: Config{Store: disk, Hub: NewHub(), Engine: NoEngine{}, Planner: plan.NewPlanner(plan.Planner{Store: disk})}}
		type sent struct {
			answer Planned
			err    error
			done   bool
			gone   context.CancelFunc
		}
		send := func(project, id string) *sent {
			host := installer.Host{ID: "i-1", Endpoint: installer.Endpoint{Address: "192.0.2.1", Port: 22, User: "root"}}
			login := installer.Credentials{Login: installer.Login{Password: installer.NewSecret("x")}}
			req := plan.Request{
				BatchID: id, Task: installer.Install, Spec: installer.Spec{Target: "other", HostKeys: installer.AcceptNew},
				Hosts: []installer.HostEntry{{Host: host, Credentials: login}},
			}
			who := installer.Principal{Project: project, Kind: "token", Name: "x", Rights: installer.FullRights}
			ctx, cancel := context.WithCancel(t.Context())
			one := &sent{gone: cancel}
			go func() {
				one.answer, one.err = s.submit(ctx, who, req)
				one.done = true
			}()
			synctest.Wait()
			return one
		}
		first, second, gone := send("p1", "b-1"), send("p1", "b-1"), send("p1", "b-1")
		elsewhere, other := send("p2", "b-1"), send("p1", "b-2")
		require.Equal(t, 3, disk.submits, "others do not wait")
		gone.gone()
		synctest.Wait()
		require.True(t, gone.done, "its client has gone, and so it ends")
		require.ErrorIs(t, gone.err, context.Canceled)

		for range 3 {
			disk.commit <- nil
		}
		synctest.Wait()
		for _, one := range []*sent{first, second, elsewhere, other} {
			require.True(t, one.done)
			require.NoError(t, one.err)
		}
		require.Equal(t, first.answer, second.answer)
		require.Equal(t, 3, disk.submits, "once for each batch")

		// Where the first could not be stored the second one tries.
		failed, tries := send("p1", "b-3"), send("p1", "b-3")
		disk.commit <- errors.New("no room")
		synctest.Wait()
		require.Error(t, failed.err)
		require.False(t, tries.done)
		disk.commit <- nil
		synctest.Wait()
		require.NoError(t, tries.err)
		s.submitting.taken.Range(func(key, _ any) bool { t.Errorf("%v is left behind", key); return true })
	})
}
