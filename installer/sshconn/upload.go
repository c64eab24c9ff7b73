package sshconn

import (
	"context"
	"path"
	"strings"

	"tripod/installer"
)

// The ways in which a file reaches a host, as UploadedBy names them.
const (
	BySFTP = "sftp"
	ByExec = "exec"
)

// Upload writes up.Blob to up.Path, by SFTP or, where the server has none,
// through a command; the server is asked once for each connection. At the end
// the size on the host is compared.
//
// Failures: upload-failed for whatever keeps the bytes from arriving, a stall
// of Limits.UploadStall and the loss of the connection included: since the
// file has no final name yet, nothing on the host is in doubt. no-space where
// that is the reason. lost-contact only if the connection was lost before.
func (c *Conn) Upload(ctx context.Context, up installer.Upload) error {
	if fail := c.upload(ctx, up); fail != nil {
		return fail
	}
	return nil
}

func (c *Conn) upload(ctx context.Context, up installer.Upload) *installer.Failure {
	if !path.IsAbs(up.Path) || strings.ContainsAny(up.Path, "\n\r\x00") {
		return failf(installer.KindInternal, nil, "%q is no absolute path on a host", up.Path)
	}
	if ctx.Err() != nil {
		return ctxFailure(ctx, "before an upload")
	}
	if !c.alive() {
		return c.lost("before an upload")
	}
	c.watch()
	defer c.unwatch()
	st := &c.sftp
	st.mu.Lock()
	defer st.mu.Unlock()
	if !st.off {
		off, fail := c.uploadSFTP(ctx, up)
		if !off {
			st.by.Store(BySFTP)
			return fail
		}
		st.off = true
	}
	st.by.Store(ByExec)
	return c.uploadExec(ctx, up)
}

// UploadedBy tells which way the last upload took: BySFTP, ByExec, or "" if
// there was none.
func (c *Conn) UploadedBy() string {
	by, _ := c.sftp.by.Load().(string)
	return by
}

// uploadFailure classifies the end of an upload under g.
func (c *Conn) uploadFailure(ctx context.Context, g *guard, up installer.Upload, err error) *installer.Failure {
	name := path.Base(up.Path)
	switch {
	case ctx.Err() != nil:
		return ctxFailure(ctx, "while uploading "+name)
	case g.fired.Load():
		return failf(installer.KindUploadFailed, err, "%s: no byte acknowledged within %s", name, g.limit)
	case c.broken():
		return failf(installer.KindUploadFailed, err, "%s: %s during the upload", name, c.reason())
	case noSpace(err.Error()):
		return failf(installer.KindNoSpace, err, "%s: %s", up.Path, quote(err.Error()))
	}
	return failf(installer.KindUploadFailed, err, "%s: %s", up.Path, quote(err.Error()))
}

func noSpace(text string) bool {
	return containsAny(text, "no space left", "disk quota", "quota exceeded", "disk full")
}
