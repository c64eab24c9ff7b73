package control

import (
	"context"
	"fmt"
	"io"
	"slices"

	"tripod/installer"
	"tripod/installer/plan"
)

// Submit has a request planned and stored; on the daemon's disk when it returns.
// Faults where the daemon refuses it, MissingCredentials where it has no logins.
func (c *Client) Submit(ctx context.Context, r plan.Request) (Planned, error) {
	p, err := submitBatch.Call(ctx, c, r)
	if err == nil && p.Batch != nil && !p.Resumed {
		c.submitted.Store(r.BatchID, true)
	}
	return p, err
}

// Invocations are those of a batch, or only one of them, in the order of the hosts file.
func (c *Client) Invocations(ctx context.Context, batchID, only string) ([]installer.Invocation, error) {
	all, err := c.newestFirst(ctx, installer.Filter{BatchID: batchID, InvocationID: only})
	slices.Reverse(all)
	return all, err
}

// InvocationsOn are those on one host, newest first.
func (c *Client) InvocationsOn(ctx context.Context, instanceID string) ([]installer.Invocation, error) {
	return c.newestFirst(ctx, installer.Filter{InstanceID: instanceID})
}

func (c *Client) newestFirst(ctx context.Context, f installer.Filter) ([]installer.Invocation, error) {
	return allPages(func(offset int64) ([]installer.Invocation, int64, error) {
		f.Offset = offset
		page, err := listInvocations.Call(ctx, c, f)
		return page.Invocations, page.Count, err
	}, func(inv installer.Invocation) string { return inv.ID })
}

// Hosts returns those of the inventory with all of the labels.
func (c *Client) Hosts(ctx context.Context, labels map[string]string) ([]installer.KnownHost, error) {
	return allPages(func(offset int64) ([]installer.KnownHost, int64, error) {
		page, err := listHosts.Call(ctx, c, installer.HostFilter{Labels: labels, Offset: offset})
		return page.Hosts, page.Count, err
	}, func(h installer.KnownHost) string { return h.ID })
}

// allPages reads a list page by page. What has moved to the next page meanwhile is in it
// once.
func allPages[T any](read func(offset int64) ([]T, int64, error), id func(T) string) ([]T, error) {
	all := []T{}
	seen := map[string]bool{}
	for offset := int64(0); ; {
		page, count, err := read(offset)
		if err != nil {
			return nil, err
		}
		for _, one := range page {
			if !seen[id(one)] {
				seen[id(one)] = true
				all = append(all, one)
			}
		}
		if offset += int64(len(page)); len(page) == 0 || offset >= count {
			return all, nil
		}
	}
}

func (c *Client) Log(ctx context.Context, invocationID string) (io.ReadCloser, error) {
	return getLog.open(ctx, c, ID{invocationID})
}

// PutBlob sends a file of which ref has the hash and the size, in parts, as far
// as the daemon does not have it yet.
func (c *Client) PutBlob(ctx context.Context, r io.Reader, ref installer.BlobRef) error {
	part := filePart{SHA256: ref.SHA256, Size: ref.Size}
	buffer := make([]byte, partSize)
	for {
		state, err := addToFile.Call(ctx, c, part)
		if err != nil || state.Complete {
			return err
		}
		at := part.Offset + int64(len(part.Data))
		if state.Have < at {
			return fmt.Errorf("the daemon has lost what it had of %s: try again", ref.Name)
		}
		if _, err := io.CopyN(io.Discard, r, state.Have-at); err != nil {
			return fmt.Errorf("read %s: %w", ref.Name, err)
		}
		part.Offset = state.Have
		part.Data = buffer[:min(partSize, ref.Size-state.Have)]
		if _, err := io.ReadFull(r, part.Data); err != nil {
			return fmt.Errorf("read %s: %w", ref.Name, err)
		}
	}
}
