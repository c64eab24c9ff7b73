package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"tripod/installer"
	"tripod/installer/engine"
	"tripod/store"
)

// How long a worker is busy with a host, a tenth of what is usual: a run of a second, and the
// limit for connecting.
const (
	healthyTakes = 100 * time.Millisecond
	deadTakes    = time.Second
)

// dead measures how much longer the healthy hosts of a fleet wait for their end because of the
// dead ones among them, three of ten. The store and the engine are real, the hosts are not.
func dead(ctx context.Context, c config) error {
	without, err := fleet(ctx, c, false)
	if err != nil {
		return err
	}
	with, err := fleet(ctx, c, true)
	if err != nil {
		return err
	}
	fmt.Printf("\nFleet of %d hosts, 30 %% dead, --parallel %d: the healthy ones have ended after %.1f s, without the dead ones after %.1f s: × %.2f\n",
		c.fleet, c.parallel, with.Seconds(), without.Seconds(), with.Seconds()/without.Seconds())
	return nil
}

// fleet returns when the last healthy host has ended.
func fleet(ctx context.Context, c config, withDead bool) (time.Duration, error) {
	dir, err := os.MkdirTemp("", "tripod-load-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	s, err := store.Open(filepath.Join(dir, "state"), store.Options{})
	if err != nil {
		return 0, err
	}
	defer s.Close()
	dead, left := map[string]bool{}, 0
	b := installer.Batch{BatchHead: installer.BatchHead{ID: "fleet", ProjectID: project, Created: time.Now(), Source: "load"}}
	for i := range c.fleet {
		inv := invocation(i)
		switch dead[inv.ID] = i%10 < 3; {
		case !dead[inv.ID]:
			left++
		case !withDead:
			continue
		}
		b.Items = append(b.Items, installer.Item{Invocation: inv,
			Credentials: installer.Credentials{Login: installer.Login{Password: installer.NewSecret("none is asked for")}}})
	}
	if err := s.Submit(ctx, b); err != nil {
		return 0, err
	}

	began := time.Now()
	var mu sync.Mutex
	var last time.Duration
	stop, cancel := context.WithCancel(ctx)
	defer cancel()
	d := engine.New(engine.Config{Queue: s, Parallel: c.parallel, StopWhenIdle: true,
		Worker: work(func(ctx context.Context, job *installer.Job) (installer.Outcome, error) {
			job.Begin(installer.StepConnect)
			if dead[job.Invocation.ID] {
				return installer.Outcome{}, wait(ctx, deadTakes, installer.Fail(installer.KindUnreachable, "dead"))
			}
			return installer.Outcome{}, wait(ctx, healthyTakes, nil)
		}),
		Watch: func(e installer.Event) {
			if e.End == nil || e.End.State != installer.Succeeded {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			last = time.Since(began)
			if left--; left == 0 {
				cancel() // nobody need wait for the dead
			}
		},
	})
	if err := d.Run(stop); err != nil {
		return 0, err
	}
	if left > 0 {
		return 0, fmt.Errorf("%d healthy hosts have not succeeded", left)
	}
	return last, nil
}

func wait(ctx context.Context, d time.Duration, end error) error {
	select {
	case <-time.After(d):
		return end
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

type work func(context.Context, *installer.Job) (installer.Outcome, error)

func (w work) Work(ctx context.Context, job *installer.Job) (installer.Outcome, error) {
	return w(ctx, job)
}
