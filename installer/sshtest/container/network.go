package container

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
)

// Network is a closed network: its targets are published nowhere and accept
// connections from the jump host alone.
type Network struct {
	Name    string
	Jump    *Host // published
	Targets []*Host
}

// StartNetwork runs a jump host and targets behind it for the length of a test.
func StartNetwork(tb testing.TB, targets []Kind, opts ...Option) *Network {
	tb.Helper()
	NeedDocker(tb)
	n, err := NewNetwork(context.Background(), targets, opts...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Logf("log of the jump host:\n%s", n.Jump.Logs(context.Background()))
		}
		if err := n.Remove(context.Background()); err != nil {
			tb.Error(err)
		}
	})
	return n
}

// NewNetwork runs a jump host and targets behind it; Remove it. The options are
// for the targets.
func NewNetwork(ctx context.Context, targets []Kind, opts ...Option) (*Network, error) {
	n := &Network{Name: "tripod-testhost-" + strings.ToLower(rand.Text()[:12])}
	if _, err := docker(ctx, "network", "create", "--internal", "--label", label, n.Name); err != nil {
		return nil, err
	}
	err := n.fill(ctx, targets, opts)
	if err != nil {
		return nil, errors.Join(err, n.Remove(context.WithoutCancel(ctx)))
	}
	return n, nil
}

func (n *Network) fill(ctx context.Context, targets []Kind, opts []Option) (err error) {
	if n.Jump, err = New(ctx, JumpKind); err != nil {
		return err
	}
	n.Jump.net = n
	if _, err := docker(ctx, "network", "connect", n.Name, n.Jump.ID); err != nil {
		return err
	}
	inside := func(s *setup) {
		s.net, s.publish, s.allowFrom = n, false, n.Jump.InsideAddress()
	}
	n.Targets, err = parallel(targets, func(k Kind) (*Host, error) {
		return New(ctx, k, append([]Option{inside}, opts...)...)
	})
	return err
}

// Remove ends and deletes the hosts and the network.
func (n *Network) Remove(ctx context.Context) error {
	all := n.Targets
	if n.Jump != nil {
		all = append(all[:len(all):len(all)], n.Jump)
	}
	err := removeAll(all)
	_, netErr := docker(ctx, "network", "rm", n.Name)
	return errors.Join(err, netErr)
}

// InsideAddress is the host's address in its closed network, or in Docker's
// own network where it is in none. Empty if it does not run.
func (c *Host) InsideAddress() string {
	name := "bridge"
	if c.net != nil {
		name = c.net.Name
	}
	out, err := docker(context.Background(), "inspect", "--format",
		fmt.Sprintf("{{(index .NetworkSettings.Networks %q).IPAddress}}", name), c.ID)
	if err != nil {
		return ""
	}
	return out
}

// parallel calls f for each item at once. It returns what was made, also
// when some failed.
func parallel[T, R any](items []T, f func(T) (R, error)) ([]R, error) {
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		errs []error
	)
	made := make([]R, len(items))
	ok := make([]bool, len(items))
	for i, item := range items {
		wg.Go(func() {
			r, err := f(item)
			mu.Lock()
			defer mu.Unlock()
			made[i], ok[i] = r, err == nil
			errs = append(errs, err)
		})
	}
	wg.Wait()
	var kept []R
	for i := range made {
		if ok[i] {
			kept = append(kept, made[i])
		}
	}
	return kept, errors.Join(errs...)
}

func removeAll(all []*Host) error {
	_, err := parallel(all, func(c *Host) (struct{}, error) {
		return struct{}{}, c.Remove(context.Background())
	})
	return err
}
