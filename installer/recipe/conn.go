package recipe

import (
	"context"

	"tripod/installer"
)

// Dialer opens connections to hosts.
type Dialer interface {
	// Dial connects, checks the host key and logs in, each within its own
	// limit. Its error is an *installer.Failure. The connection outlives ctx.
	Dial(ctx context.Context, project string, host installer.Host, creds installer.Credentials, policy installer.HostKeyPolicy) (Conn, error)
}

// DialerFunc makes a Dialer of a function.
type DialerFunc func(ctx context.Context, project string, host installer.Host, creds installer.Credentials, policy installer.HostKeyPolicy) (Conn, error)

// Dial calls f.
func (f DialerFunc) Dial(ctx context.Context, project string, host installer.Host, creds installer.Credentials, policy installer.HostKeyPolicy) (Conn, error) {
	return f(ctx, project, host, creds, policy)
}

// Conn is one authenticated connection to one host. Every method returns soon
// after its ctx is done, whatever the server does, and its error is then an
// *installer.Failure; after one of kind lost-contact the connection is dead.
type Conn interface {
	// Exec runs one command and returns its exit code (128+n for a signal n).
	// It returns when the exit status has arrived and output has been drained
	// for at most the grace, even if a child on the host holds stdout open.
	Exec(ctx context.Context, cmd installer.Command) (int, error)
	// Upload writes a file in place: the caller chooses a temporary name, checks and
	// renames. A stall longer than Limits.UploadStall is upload-failed.
	Upload(ctx context.Context, blob installer.Blob, path string) error
	// CanForward reports whether the server forwards TCP for us: nil, or a
	// Failure of kind channel-denied.
	CanForward(ctx context.Context) error
	// Close ends the connection and returns without waiting for the server.
	Close() error
}
