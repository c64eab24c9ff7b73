package engine_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/engine"
)

// directory is many hosts with one account, which knows how often its password was wrong.
type directory struct {
	accepts func(host string) installer.PasswordAnswer
	takes   time.Duration // to answer

	mu                 sync.Mutex
	tried, atOnce, top int
}

// Work implements engine.Worker: it logs in as sshdial does.
func (d *directory) Work(ctx context.Context, job *installer.Job) (installer.Outcome, error) {
	time.Sleep(time.Millisecond) // connect
	tell := func(installer.PasswordAnswer) {}
	if job.Guard != nil {
		var err error
		if tell, err = job.Guard(ctx, "ops", job.Credentials.Password); err != nil {
			return installer.Outcome{}, err
		}
	}
	d.mu.Lock()
	d.tried++
	d.atOnce++
	d.top = max(d.top, d.atOnce)
	d.mu.Unlock()
	select {
	case <-time.After(d.takes):
	case <-ctx.Done():
	}
	answer := d.accepts(job.Invocation.Host.Address)
	d.mu.Lock()
	d.atOnce--
	d.mu.Unlock()
	tell(answer)
	switch answer {
	case installer.PasswordAccepted:
		return installer.Outcome{}, nil
	case installer.PasswordRefused:
		return installer.Outcome{}, installer.Fail(installer.KindAuthRejected, "password was refused")
	}
	return installer.Outcome{}, installer.Fail(installer.KindHandshakeFailed, "closed")
}

func fleet(n int) *memoryQueue {
	hosts := make([]string, n)
	for i := range hosts {
		hosts[i] = fmt.Sprintf("h%03d", i)
	}
	q := newQueue(hosts...)
	q.creds.Password = installer.NewSecret("one for all")
	return q
}

func kindsOf(q *memoryQueue) map[installer.Kind]int {
	n := map[installer.Kind]int{}
	for _, inv := range q.all {
		n[inv.Kind]++
	}
	return n
}

// TestOneWrongPasswordLocksNoAccount: of 200 hosts, 32 at a time, that all refuse the login, 3 are asked.
func TestOneWrongPasswordLocksNoAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := fleet(200)
		d := &directory{accepts: func(string) installer.PasswordAnswer { return installer.PasswordRefused }, takes: 2 * time.Second}
		began := time.Now()
		run(t, engine.Config{Queue: q, Worker: d})
		t.Logf("%d of %d hosts were sent the wrong password, %d at once", d.tried, len(q.all), d.top)
		assert.Equal(t, engine.MaxRefusals, d.tried)
		assert.Equal(t, map[installer.Kind]int{installer.KindAuthRejected: 3, installer.KindLoginHeldBack: 197}, kindsOf(q))
		assert.Equal(t, map[installer.State]int{installer.Failed: 200}, q.states())
		assert.Less(t, time.Since(began), 3*time.Second)
		assert.Contains(t, q.all[199].Message, "ops@h199:22: the password was not tried: 3 hosts of this batch have refused it")
	})
}

// TestRightPasswordWaitsForOneAnswer: then all go on, also where some hosts refuse it.
func TestRightPasswordWaitsForOneAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := fleet(64)
		d := &directory{takes: time.Second, accepts: func(host string) installer.PasswordAnswer {
			if host == "h001" || host >= "h030" && host < "h040" {
				return installer.PasswordRefused
			}
			return installer.PasswordAccepted
		}}
		began := time.Now()
		run(t, engine.Config{Queue: q, Worker: d})
		assert.Equal(t, 64, d.tried)
		assert.Equal(t, map[installer.Kind]int{installer.KindAuthRejected: 11, "": 53}, kindsOf(q))
		assert.Less(t, time.Since(began), 3100*time.Millisecond, "two rounds of 32, and the first answer")
	})
}

// TestServersThatHangHoldUpNobody: who does not answer makes room.
func TestServersThatHangHoldUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := fleet(200)
		d := &directory{takes: 20 * time.Second, accepts: func(string) installer.PasswordAnswer { return installer.PasswordUnanswered }}
		began := time.Now()
		run(t, engine.Config{Queue: q, Worker: d})
		assert.Equal(t, 200, d.tried)
		// 3, 6, 12, 24, then 32 at once.
		assert.Less(t, time.Since(began), 4*time.Minute)
	})
}

// TestWhatIsNotHeldBack is about the guard's exceptions.
func TestWhatIsNotHeldBack(t *testing.T) {
	refuse := func(string) installer.PasswordAnswer { return installer.PasswordRefused }
	t.Run("--keep-trying", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			q, d := fleet(40), &directory{accepts: refuse, takes: time.Second}
			for _, inv := range q.all {
				inv.Spec.KeepTrying = true
			}
			run(t, engine.Config{Queue: q, Worker: d})
			assert.Equal(t, 40, d.tried)
			assert.Equal(t, 32, d.top)
		})
	})
	t.Run("another batch", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			q, d := fleet(40), &directory{accepts: refuse, takes: time.Second}
			for _, inv := range q.all[20:] {
				inv.BatchID = "other"
			}
			run(t, engine.Config{Queue: q, Worker: d})
			assert.Equal(t, 6, d.tried)
		})
	})
	t.Run("a host where its script may run", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			q, d := fleet(10), &directory{accepts: refuse, takes: time.Second}
			q.all[9].MayRun, q.all[9].NotBefore = true, time.Now().Add(time.Minute)
			run(t, engine.Config{Queue: q, Worker: d})
			assert.Equal(t, 4, d.tried)
		})
	})
	t.Run("an hour later", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			q, d := fleet(10), &directory{accepts: refuse, takes: time.Second}
			for _, inv := range q.all[5:] {
				inv.NotBefore = time.Now().Add(time.Hour + time.Minute)
			}
			run(t, engine.Config{Queue: q, Worker: d})
			assert.Equal(t, 6, d.tried)
		})
	})
}

// TestCancelWhileTheLoginWaits: it ends at once.
func TestCancelWhileTheLoginWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := fleet(4)
		w := &directory{takes: time.Minute, accepts: func(string) installer.PasswordAnswer { return installer.PasswordAccepted }}
		d := engine.New(engine.Config{Queue: q, Worker: w, StopWhenIdle: true})
		go func() {
			time.Sleep(time.Second)
			for _, inv := range q.all {
				assert.True(t, d.Cancel(inv.ID))
			}
		}()
		began := time.Now()
		require.NoError(t, d.Run(t.Context()))
		assert.Less(t, time.Since(began), 2*time.Second)
		assert.Equal(t, 3, w.tried)
	})
}
