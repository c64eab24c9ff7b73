package recipe

import (
	"context"
	"time"

	"tripod/installer"
)

// patient is a Conn that asks again where the server opens no session. With
// MaxSessions 1 it refuses the next one until it has put away the last one, and
// tells nobody when that is. Nothing was started by what was refused.
type patient struct{ Conn }

// sessionPauses are the waits before another try.
var sessionPauses = []time.Duration{50 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond}

func (p patient) Exec(ctx context.Context, cmd installer.Command) (code int, err error) {
	err = p.patiently(ctx, func() error {
		code, err = p.Conn.Exec(ctx, cmd)
		return err
	})
	return code, err
}

func (p patient) Upload(ctx context.Context, up installer.Upload) error {
	return p.patiently(ctx, func() error { return p.Conn.Upload(ctx, up) })
}

// uploadedBy tells the way of the last upload, if the connection knows it.
func (p patient) uploadedBy() string {
	if c, ok := p.Conn.(interface{ UploadedBy() string }); ok {
		return c.UploadedBy()
	}
	return ""
}

func (p patient) patiently(ctx context.Context, do func() error) error {
	for _, pause := range sessionPauses {
		err := do()
		if err == nil || installer.FailureOf(err).Kind != installer.KindChannelDenied {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
	return do()
}
