package control

import (
	"context"
	"fmt"
	"io"
	"time"

	"tripod/installer"
	"tripod/installer/plan"
)

func (c *Client) Batches(ctx context.Context, project string, n int) ([]installer.BatchHead, error) {
	return call(ctx, c, listBatches, project, newest{min(max(1, n), longList)})
}

func (c *Client) Batch(ctx context.Context, project, batchID string) (installer.BatchHead, error) {
	now, err := call(ctx, c, getBatch, project, id{batchID})
	return now.BatchHead, err
}

// Abandoned reports whether a batch is open, and nobody works on it.
func (c *Client) Abandoned(ctx context.Context, project, batchID string) (bool, error) {
	now, err := call(ctx, c, getBatch, project, id{batchID})
	return now.Open > 0 && !now.UnderWay, err
}

// Submit has a request planned and stored; on the daemon's disk when it returns.
// Faults where the daemon refuses it, MissingCredentials where it has no logins.
func (c *Client) Submit(ctx context.Context, r plan.Request) (Planned, error) {
	p, err := call(ctx, c, submitBatch, r.Project, r)
	if err == nil && p.Batch != nil && !p.Resumed {
		c.submitted.Store(r.BatchID, true)
	}
	return p, err
}

func (c *Client) Plan(ctx context.Context, r plan.Request) (Planned, error) {
	return call(ctx, c, planBatch, r.Project, r)
}

// CancelOpen cancels the open invocations of a batch, or only one of them, and
// returns the ids of those that were open.
func (c *Client) CancelOpen(ctx context.Context, project, batchID, only string) ([]string, error) {
	return call(ctx, c, cancelBatch, project, ofBatch{batchID, only})
}

func (c *Client) Invocation(ctx context.Context, project, invocationID string) (installer.Invocation, error) {
	return call(ctx, c, getInvocation, project, id{invocationID})
}

// Invocations returns those of a batch, a host or an invocation, the newest first.
func (c *Client) Invocations(ctx context.Context, f installer.Filter) (all installer.Page, err error) {
	all.Invocations, all.Count, err = pages(func(inv *installer.Invocation) string { return inv.ID }, func(offset int64) ([]installer.Invocation, int64, error) {
		f.Offset = offset
		page, err := call(ctx, c, listInvocations, f.ProjectID, f)
		return page.Invocations, page.Count, err
	})
	return all, err
}

func (c *Client) Hosts(ctx context.Context, project string, f installer.HostFilter) (all installer.HostPage, err error) {
	all.Hosts, all.Count, err = pages(func(h *installer.KnownHost) string { return h.ID }, func(offset int64) ([]installer.KnownHost, int64, error) {
		f.Offset = offset
		page, err := call(ctx, c, listHosts, project, f)
		return page.Hosts, page.Count, err
	})
	return all, err
}

// pages reads a list page by page. What has moved to the next page meanwhile is in it
// once.
func pages[T any](key func(*T) string, read func(offset int64) ([]T, int64, error)) (all []T, count int64, err error) {
	all = []T{}
	seen := map[string]bool{}
	for offset := int64(0); ; {
		page, count, err := read(offset)
		if err != nil {
			return nil, 0, err
		}
		for _, one := range page {
			if !seen[key(&one)] {
				seen[key(&one)] = true
				all = append(all, one)
			}
		}
		if offset += int64(len(page)); len(page) == 0 || offset >= count {
			return all, count, nil
		}
	}
}

func (c *Client) Log(ctx context.Context, project, invocationID string) (io.ReadCloser, error) {
	return open(ctx, c, getLog, project, id{invocationID})
}

// PutBlob sends a file of which ref has the hash and the size, in parts, as far
// as the daemon does not have it yet.
func (c *Client) PutBlob(ctx context.Context, r io.Reader, ref installer.BlobRef) (installer.BlobRef, error) {
	part := filePart{SHA256: ref.SHA256, Size: ref.Size}
	buffer := make([]byte, partSize)
	for {
		state, err := call(ctx, c, addToFile, "", part)
		if err != nil || state.Complete {
			return ref, err
		}
		at := part.Offset + int64(len(part.Data))
		if state.Have < at {
			return ref, fmt.Errorf("the daemon has lost what it had of %s: try again", ref.Name)
		}
		if _, err := io.CopyN(io.Discard, r, state.Have-at); err != nil {
			return ref, fmt.Errorf("read %s: %w", ref.Name, err)
		}
		part.Offset = state.Have
		part.Data = buffer[:min(partSize, ref.Size-state.Have)]
		if _, err := io.ReadFull(r, part.Data); err != nil {
			return ref, fmt.Errorf("read %s: %w", ref.Name, err)
		}
	}
}

func (c *Client) RegisterHosts(ctx context.Context, project string, entries []installer.HostEntry) error {
	return do(ctx, c, addHosts, project, hostEntries{entries})
}

func (c *Client) RemoveHosts(ctx context.Context, project string, hostIDs []string) error {
	return do(ctx, c, removeHosts, project, ids{hostIDs})
}

// ForgetKeys removes the pins of a place and reports how many there were.
func (c *Client) ForgetKeys(ctx context.Context, project, hostPort string) (int, error) {
	return call(ctx, c, forgetKeys, project, id{hostPort})
}

func (c *Client) UnsetInstallers(ctx context.Context, project string, hostIDs []string) error {
	return do(ctx, c, unsetInstallers, project, ids{hostIDs})
}

func (c *Client) Packages(ctx context.Context, target string) ([]installer.Package, error) {
	return call(ctx, c, listPackages, "", ofTarget{target})
}

// AddPackage makes a package of an archive that PutBlob has sent.
func (c *Client) AddPackage(ctx context.Context, p installer.Package) error {
	return do(ctx, c, addPackage, "", p)
}

func (c *Client) RemovePackage(ctx context.Context, sha string) error {
	return do(ctx, c, removePackage, "", id{sha})
}

// AddToken makes a token and returns it, once.
func (c *Client) AddToken(ctx context.Context, project, name string, rights installer.Rights) (string, error) {
	return call(ctx, c, addToken, project, grant{name, rights})
}

// Tokens lists the project's; an empty one: of all that the caller may see.
func (c *Client) Tokens(ctx context.Context, project string) ([]installer.TokenInfo, error) {
	return call(ctx, c, listTokens, project, ofProject{project})
}

func (c *Client) RemoveToken(ctx context.Context, project, name string) error {
	return do(ctx, c, removeToken, project, id{name})
}

// AddKey makes an access key and returns it with its secret key, once.
func (c *Client) AddKey(ctx context.Context, project, name string, rights installer.Rights) (installer.KeyPair, error) {
	k, err := call(ctx, c, addKey, project, grant{name, rights})
	return installer.KeyPair{AccessKey: k.AccessKey, SecretKey: installer.NewSecret(k.SecretKey)}, err
}

func (c *Client) Keys(ctx context.Context, project string) ([]installer.KeyInfo, error) {
	return call(ctx, c, listKeys, project, ofProject{project})
}

func (c *Client) RemoveKey(ctx context.Context, project, name string) error {
	return do(ctx, c, removeKey, project, id{name})
}

// Audit returns entries of the project, or of all that the caller may see, the oldest
// first.
func (c *Client) Audit(ctx context.Context, f installer.AuditFilter) ([]installer.AuditEntry, error) {
	return call(ctx, c, listAudit, f.Project, f)
}

func (c *Client) VerifyAudit(ctx context.Context, noted ...installer.AuditAnchor) (installer.AuditReport, error) {
	return call(ctx, c, verifyAudit, "", anchors{noted})
}

// PruneAudit drops the entries before a time, and returns how many.
func (c *Client) PruneAudit(ctx context.Context, at time.Time) (int, error) {
	return call(ctx, c, pruneAudit, "", before{at})
}
