package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"tripod/installer"
	"tripod/installer/api"
	"tripod/installer/apitest"
)

// submission measures acknowledgements, and then accounts for every invocation
// that was acknowledged.
func submission(ctx context.Context, c config) (err error) {
	dir, err := os.MkdirTemp("", "tripod-load-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	// Held, so that nothing else listens on it; every other address refuses.
	held, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer held.Close()
	port := uint16(held.Addr().(*net.TCPAddr).Port)
	d, err := startDaemon(ctx, c, filepath.Join(dir, "state"))
	if err != nil {
		return err
	}
	acknowledged, waits, took, err := submit(ctx, c, d.client, port)
	if err != nil {
		_, _ = d.stop()
		return err
	}
	drained := time.Now()
	err = drain(ctx, c, d.client)
	drain := time.Since(drained)
	if err == nil {
		err = account(ctx, d.client, acknowledged)
	}
	used, stopErr := d.stop()
	if err != nil {
		return err
	}
	if stopErr != nil {
		return stopErr
	}
	printSubmission(os.Stdout, c, waits, took, drain, used)
	return nil
}

// submit sends all requests and returns the ids of what was acknowledged, and
// how long each request waited for that.
func submit(ctx context.Context, c config, client *apitest.Client, port uint16) (ids map[string]bool, waits []time.Duration, took time.Duration, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var mu sync.Mutex
	ids = map[string]bool{}
	started := time.Now()
	var wg sync.WaitGroup
	for range c.clients {
		wg.Go(func() {
			for ctx.Err() == nil {
				n := int(next.Add(1)) - 1
				if n >= c.requests {
					return
				}
				begun := time.Now()
				answer, err := client.Create(ctx, request(c, n, port))
				wait := time.Since(begun)
				if err != nil {
					cancel(fmt.Errorf("request %d: %w", n, err))
					return
				}
				mu.Lock()
				waits = append(waits, wait)
				for _, r := range answer.Invocations {
					if r.RetStatus != api.RetSuccessful {
						cancel(fmt.Errorf("request %d: %s was not taken: %s", n, r.InstanceID, r.ErrorMsg))
					}
					ids[r.InvocationID] = true
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if err := context.Cause(ctx); err != nil {
		return nil, nil, 0, err
	}
	if len(ids) != c.requests*c.hosts {
		return nil, nil, 0, fmt.Errorf("%d different invocations were acknowledged, not %d", len(ids), c.requests*c.hosts)
	}
	return ids, waits, time.Since(started), nil
}

// request is the nth one: hosts that no other request has.
func request(c config, n int, port uint16) apitest.CreateRequest {
	req := apitest.CreateRequest{InvocationType: string(installer.RemoteInstall)}
	for i := range c.hosts {
		h := n*c.hosts + i + 256 // not 127.0.0.x
		at := fmt.Sprintf("127.%d.%d.%d", h>>16&0xff, h>>8&0xff, h&0xff)
		req.Hosts = append(req.Hosts, installer.HostEntry{
			Host:        installer.Host{Name: "load-" + strconv.Itoa(h), Endpoint: installer.Endpoint{Address: at, Port: port, User: "root"}},
			Credentials: installer.Credentials{Login: installer.Login{Password: installer.NewSecret("none is asked for")}},
		})
	}
	return req
}

// drain waits until nothing is open any more.
func drain(ctx context.Context, c config, client *apitest.Client) error {
	ctx, cancel := context.WithTimeout(ctx, c.limit)
	defer cancel()
	for {
		var open int64
		for _, state := range []installer.State{installer.Pending, installer.Running} {
			list, err := client.List(ctx, installer.Filter{State: state, Limit: 1})
			if err != nil {
				return fmt.Errorf("wait for the end: %w", err)
			}
			open += list.Count
		}
		if open == 0 {
			return nil
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return fmt.Errorf("%d invocations are still open: %w", open, ctx.Err())
		}
	}
}

// account pages through the whole list: each acknowledged invocation must be
// there exactly once and have ended, and nothing else may be there.
func account(ctx context.Context, client *apitest.Client, acknowledged map[string]bool) error {
	const limit = 100
	seen := map[string]bool{}
	for offset := int64(0); ; offset += limit {
		page, err := client.List(ctx, installer.Filter{Offset: offset, Limit: limit})
		if err != nil {
			return fmt.Errorf("page %d: %w", offset/limit, err)
		}
		if len(page.Invocations) == 0 {
			break
		}
		for _, item := range page.Invocations {
			switch {
			case !acknowledged[item.InvocationID]:
				return fmt.Errorf("%s is listed and was never acknowledged", item.InvocationID)
			case seen[item.InvocationID]:
				return fmt.Errorf("%s is listed twice", item.InvocationID)
			case item.InvocationStatus != installer.Failed:
				return fmt.Errorf("%s ended as %s: %s", item.InvocationID, item.InvocationStatus, item.ResultMsg)
			}
			seen[item.InvocationID] = true
		}
	}
	if len(seen) != len(acknowledged) {
		return fmt.Errorf("%d invocations were acknowledged, %d are listed", len(acknowledged), len(seen))
	}
	return nil
}
