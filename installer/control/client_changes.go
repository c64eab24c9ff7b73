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
