package sshconn

import (
	"context"
	"path"
	"slices"
	"strings"

	"tripod/installer"
)

// The methods of an upload, as UploadedBy names them.
const (
	BySFTP = "sftp"
	ByExec = "exec"
)

// Upload writes up.Blob to up.Path, by SFTP or, where the server has none,
// through a command; the server is asked once for each connection. At the end
// the size on the host is checked.
//
// Failures: upload-failed for whatever keeps the bytes from arriving, a stall
// of Limits.UploadStall and the loss of the connection included: since the
// file has no final name yet, nothing on the host is in doubt. no-space where
// that is the reason. lost-contact only if the connection was lost before.
func (c *Conn) Upload(ctx context.Context, up installer.Upload) error {
	return asError(c.upload(ctx, up))
}

func (c *Conn) upload(ctx context.Context, up installer.Upload) *installer.Failure {
	if !path.IsAbs(up.Path) || strings.ContainsAny(up.Path, "\n\r\x00") {
		return Failf(installer.KindInternal, nil, "%q is no absolute path on a host", up.Path)
	}
	if fail := c.ready(ctx, "before an upload"); fail != nil {
		return fail
	}
	c.StartKeepalive()
	defer c.StopKeepalive()
	st := &c.sftp
	st.mu.Lock()
	defer st.mu.Unlock()
	if !st.missing {
		missing, fail := c.uploadSFTP(ctx, up)
		if !missing {
			st.by.Store(BySFTP)
			return fail
		}
		st.missing = true
	}
	st.by.Store(ByExec)
	return c.uploadExec(ctx, up)
}

// UploadedBy is the method of the last upload: BySFTP, ByExec, or "" if there
// was none.
func (c *Conn) UploadedBy() string {
	by, _ := c.sftp.by.Load().(string)
	return by
}

// uploadFailure classifies the end of an upload under g.
func (c *Conn) uploadFailure(ctx context.Context, g *guard, up installer.Upload, err error) *installer.Failure {
	name := path.Base(up.Path)
	switch {
	case ctx.Err() != nil:
		return ContextFailure(ctx, "while uploading "+name)
	case g.fired.Load():
		return Failf(installer.KindUploadFailed, err, "%s: no byte acknowledged within %s", name, g.limit)
	case c.Broken():
		return Failf(installer.KindUploadFailed, err, "%s: %s during the upload", name, c.howEnded())
	case noSpace(err.Error()):
		return Failf(installer.KindNoSpace, err, "%s: %s", up.Path, Quote(err.Error()))
	}
	return Failf(installer.KindUploadFailed, err, "%s: %s", up.Path, Quote(err.Error()))
}

func noSpace(text string) bool {
	text = strings.ToLower(text)
	return slices.ContainsFunc([]string{"no space left", "disk quota", "quota exceeded", "disk full"}, func(words string) bool {
		return strings.Contains(text, words)
	})
}
