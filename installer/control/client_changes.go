package control

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"tripod/installer"
	"tripod/installer/api"
)

// Submit stores the batch; on the daemon's disk when it returns. Faults where
// the daemon refuses it, MissingCredentials where it has none any more.
func (c *Client) Submit(ctx context.Context, s Submission) error {
	if err := c.own(s.ProjectID); err != nil {
		return err
	}
	s.Source = cut(s.Source)
	var head installer.BatchHead
	if err := c.post(ctx, c.path("batches"), s.wire(), &head, "", ""); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fresh[s.ID] = true
	return nil
}

// cut shortens what is for people alone to what the routes take.
func cut(text string) string {
	if r := []rune(text); len(r) > installer.MaxText {
		return string(r[:installer.MaxText-1]) + "…"
	}
	return text
}

// RefreshCredentials replaces those of the batch's open invocations.
func (c *Client) RefreshCredentials(ctx context.Context, project, batchID string, byInvocation map[string]installer.Credentials) error {
	if err := c.own(project); err != nil {
		return err
	}
	w := wireRefresh{ByInvocation: map[string]wireCredentials{}}
	var p packer
	for id, creds := range byInvocation {
		w.ByInvocation[id] = p.credentials(creds)
	}
	w.Logins = p.logins
	return c.post(ctx, c.path("batches", batchID, "credentials"), w, new(struct{}), "batch", batchID)
}

// CancelOpen cancels the open invocations of a batch, or only one of them, and
// returns the ids of those that were open.
func (c *Client) CancelOpen(ctx context.Context, project, batchID, only string) ([]string, error) {
	if err := c.own(project); err != nil {
		return nil, err
	}
	var answer canceled
	err := c.post(ctx, c.path("batches", batchID, "cancel"), wireCancel{only}, &answer, "batch", batchID)
	return answer.Asked, err
}

// PutBlob sends a file of which ref has the hash and the size, in parts, as far
// as the daemon does not have it yet.
func (c *Client) PutBlob(ctx context.Context, r io.Reader, ref installer.BlobRef) (installer.BlobRef, error) {
	var state blobState
	if err := c.get(ctx, c.path("blobs", ref.SHA256), &state, "file", ref.Name); err != nil {
		return ref, err
	}
	part := make([]byte, partSize)
	for at := int64(0); !state.Complete; {
		if state.Have < at {
			return ref, fmt.Errorf("the daemon has lost what it had of %s: try again", ref.Name)
		}
		if _, err := io.CopyN(io.Discard, r, state.Have-at); err != nil {
			return ref, fmt.Errorf("read %s: %w", ref.Name, err)
		}
		at = state.Have
		n, err := io.ReadFull(r, part[:min(partSize, ref.Size-at)])
		if err != nil {
			return ref, fmt.Errorf("read %s: %w", ref.Name, err)
		}
		path := fmt.Sprintf("%s?size=%d&offset=%d", c.path("blobs", ref.SHA256), ref.Size, at)
		err = c.ask(ctx, api.Ask{Method: http.MethodPut, Path: path, Body: part[:n], Binary: true}, &state, "", "")
		if err != nil {
			return ref, err
		}
		at += int64(n)
	}
	return ref, nil
}

// ForgetKeys removes the pins of a place and reports how many there were.
func (c *Client) ForgetKeys(ctx context.Context, project, hostPort string) (int, error) {
	if err := c.own(project); err != nil {
		return 0, err
	}
	var answer forgotten
	err := c.ask(ctx, api.Ask{Method: http.MethodDelete, Path: c.path("host-keys", hostPort)}, &answer, "", "")
	return answer.Keys, err
}

// numberText is a number in a query.
func numberText(n int64) string { return strconv.FormatInt(n, 10) }
