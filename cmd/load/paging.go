package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"tripod/installer"
	"tripod/store"
)

// page is one kind of request for a page of a long list.
type page struct {
	what   string
	filter installer.Filter
}

func pages(c config) []page {
	var all []page
	for _, by := range []page{
		{"none", installer.Filter{}},
		{"status", installer.Filter{State: installer.Pending}},
		{"instance_type", installer.Filter{InstanceType: installer.BMS}},
	} {
		last := c.listed
		if by.filter.InstanceType != "" {
			last /= 10 // as many as there are of them
		}
		for _, offset := range []int{0, last / 2, last - 100} {
			p := by
			p.filter.Offset, p.filter.Limit = int64(max(0, offset)), 100
			all = append(all, p)
		}
	}
	return append(all,
		page{"instance_id", installer.Filter{InstanceID: instance(1), Limit: 100}},
		page{"nothing matches", installer.Filter{State: installer.Failed, Limit: 100}})
}

// paging measures pages of a list that has c.listed invocations. They wait for
// tomorrow, so that the daemon has nothing else to do.
func paging(ctx context.Context, c config) error {
	dir, err := os.MkdirTemp("", "tripod-load-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	state := filepath.Join(dir, "state")
	if err := fill(ctx, c, state); err != nil {
		return fmt.Errorf("fill the store: %w", err)
	}
	d, err := startDaemon(ctx, c, state)
	if err != nil {
		return err
	}
	var rows []pageRow
	for _, p := range pages(c) {
		row := pageRow{page: p}
		for range c.samples {
			begun := time.Now()
			list, err := d.client.List(ctx, p.filter)
			if err != nil {
				_, _ = d.stop()
				return fmt.Errorf("page by %s at %d: %w", p.what, p.filter.Offset, err)
			}
			row.waits = append(row.waits, time.Since(begun))
			row.count, row.items = list.Count, len(list.Invocations)
		}
		rows = append(rows, row)
	}
	used, err := d.stop()
	if err != nil {
		return err
	}
	printPaging(os.Stdout, c, rows, used)
	return nil
}

// fill submits c.listed invocations, a tenth of them on bare metal.
func fill(ctx context.Context, c config, state string) error {
	const perBatch = 1000
	s, err := store.Open(state, store.Options{})
	if err != nil {
		return err
	}
	now := time.Now()
	for at := 0; at < c.listed; at += perBatch {
		b := installer.Batch{BatchHead: installer.BatchHead{ID: fmt.Sprintf("B%07d", at), ProjectID: project, Created: now, Source: "load"}}
		for i := at; i < min(at+perBatch, c.listed); i++ {
			inv := invocation(i)
			inv.NotBefore = now.Add(24 * time.Hour)
			if i%10 == 0 {
				inv.Host.Type = installer.BMS
			}
			b.Items = append(b.Items, installer.Item{Invocation: inv})
		}
		if err := s.Submit(ctx, b); err != nil {
			_ = s.Close()
			return err
		}
	}
	return s.Close()
}

func invocation(i int) installer.Invocation {
	return installer.Invocation{
		ID: fmt.Sprintf("I%07d", i), Type: installer.RemoteInstall, Spec: installer.Spec{Target: installer.TargetTelescope},
		Host: installer.Host{ID: instance(i), Name: instance(i), Type: installer.ECS,
			Endpoint: installer.Endpoint{Address: fmt.Sprintf("127.%d.%d.%d", i>>16&0xff, i>>8&0xff, i&0xff), Port: 22, User: "root"}},
	}
}

func instance(i int) string { return fmt.Sprintf("host-%07d", i) }
