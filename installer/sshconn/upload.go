package sshconn

import (
	"context"
	"io"
	"path"
	"strings"

	"tripod/installer"
)

const (
	BySFTP = "sftp"
	ByExec = "exec"
)

// Upload writes a blob to an absolute path whose folder exists, by SFTP, else through a command,
// and checks the size. A connection that breaks meanwhile is upload-failed: nothing is in doubt.
func (c *Conn) Upload(ctx context.Context, blob installer.Blob, to string) error {
	if !path.IsAbs(to) || strings.ContainsAny(to, "\n\r\x00") {
		return Failf(installer.KindInternal, nil, "%q is no absolute path on a host", to)
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
		missing, fail := c.uploadSFTP(ctx, blob, to)
		if !missing {
			st.by.Store(BySFTP)
			return asError(fail)
		}
		st.missing = true
	}
	st.by.Store(ByExec)
	return asError(c.uploadExec(ctx, blob, to))
}

// WithoutSFTP has later uploads go through a command: what SFTP wrote is not where commands look.
func (c *Conn) WithoutSFTP() {
	c.sftp.mu.Lock()
	defer c.sftp.mu.Unlock()
	c.sftp.missing = true
}

func (c *Conn) UploadedBy() string {
	by, _ := c.sftp.by.Load().(string)
	return by
}

// uploadReader ends an upload between two chunks; each that flow control lets out is progress.
type uploadReader struct {
	io.Reader
	ctx context.Context
	g   *guard
}

func newUploadReader(ctx context.Context, g *guard, blob installer.Blob) *uploadReader {
	return &uploadReader{io.NewSectionReader(blob, 0, blob.Ref().Size), ctx, g}
}

func (r *uploadReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	r.g.progress()
	return r.Reader.Read(p)
}

func (c *Conn) uploadFailure(ctx context.Context, g *guard, to string, err error) *installer.Failure {
	name := path.Base(to)
	switch {
	case ctx.Err() != nil:
		return ContextFailure(ctx, "while uploading "+name)
	case g.fired.Load():
		return Failf(installer.KindUploadFailed, err, "%s: no byte acknowledged within %s", name, g.limit)
	case c.Broken():
		return Failf(installer.KindUploadFailed, err, "%s: %s during the upload", name, c.howEnded())
	case noSpace(err.Error()):
		return Failf(installer.KindNoSpace, err, "%s: %s", to, Quote(err.Error()))
	}
	return Failf(installer.KindUploadFailed, err, "%s: %s", to, Quote(err.Error()))
}

func noSpace(text string) bool {
	return ContainsAny(text, "no space left", "disk quota", "quota exceeded", "disk full")
}
