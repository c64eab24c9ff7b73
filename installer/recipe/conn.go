package recipe

import (
	"context"
	"errors"
	"io"

	"tripod/installer"
	"tripod/installer/recipe/hostshell"
)

// Dial connects, checks the host key and logs in, each within its own limit. Its
// error is an *installer.Failure. The connection outlives ctx. The guard is of the host's password, and may be nil.
type Dial func(
	ctx context.Context, project string, host installer.Host, creds installer.Credentials, policy installer.HostKeyPolicy, guard installer.PasswordGuard,
) (Conn, error)

// Conn is one authenticated connection to one host. Every method returns soon after its ctx is
// done, with an *installer.Failure; after one of kind lost-contact the connection is dead.
type Conn interface {
	// Exec returns the exit code (128+n for a signal n) when the output has been drained for at most
	// the grace, even if a child on the host holds stdout open.
	Exec(ctx context.Context, cmd installer.Command) (int, error)
	// Upload writes a file in place: the caller chooses a temporary name, checks and
	// renames. A stall longer than Limits.UploadStall is upload-failed.
	Upload(ctx context.Context, blob installer.Blob, path string) error
	UploadedBy() string
	WithoutSFTP() // what SFTP wrote is not where commands look
	// CanForward is nil where the server forwards TCP, or a Failure of kind channel-denied.
	CanForward(ctx context.Context) error
	// JumpHosts are those that the connection goes through, first hop first.
	JumpHosts() []installer.Endpoint
	// Close ends the connection and returns without waiting for the server.
	Close() error
}

func (w *work) dial(ctx context.Context) error {
	conn, err := w.Dial(ctx, w.inv.ProjectID, w.inv.Host, w.job.Credentials, w.inv.Spec.HostKeys, w.job.Guard)
	if err != nil {
		return err
	}
	w.close()
	w.conn = conn
	w.host = hostshell.New(conn, w.rootPassword(), w.tag, w.settings())
	w.host.Limits = w.Limits
	return nil
}

type reply struct {
	findings
	hostshell.Reply
}

func (w *work) ask(ctx context.Context, out io.Writer, files []string, verb string, args ...string) (r reply, err error) {
	err = w.asks(ctx, &r, hostshell.Request{Files: files, Verb: verb, Args: args, Output: out})
	return r, err
}

// asks sends a request. Where a limit has ended that, it says so.
func (w *work) asks(ctx context.Context, r *reply, q hostshell.Request) (err error) {
	q.Each = r.add
	r.Reply, err = w.host.Ask(ctx, q)
	if errors.Is(err, hostshell.ErrVerb) {
		return installer.Fail(installer.KindStepTimeout, "%s took longer than %s", q.Verb, q.Limit)
	}
	return w.notBegun(err)
}

// notBegun says which limit has ended what comes before our scripts.
func (w *work) notBegun(err error) error {
	switch {
	case errors.Is(err, hostshell.ErrStartUp):
		return installer.Fail(installer.KindStepTimeout, "the login shell began no command within %s; perhaps a start-up file (such as ~/.bashrc) "+
			"reads standard input or waits for something%s", w.Limits.StartUp, w.quoted(w.host.Noise()))
	case errors.Is(err, hostshell.ErrSudo):
		return installer.Fail(installer.KindStepTimeout, "what makes the login root has not let it in within %s; perhaps PAM, LDAP or name resolution is slow%s",
			w.Limits.Sudo, w.quoted(w.host.Noise()))
	}
	return err
}

func (w *work) askRun(ctx context.Context, out io.Writer, files []string, verb string, more ...string) (reply, error) {
	return w.ask(ctx, out, files, verb, w.runArgs(more...)...)
}

func (w *work) runArgs(more ...string) []string {
	return append([]string{"root=" + w.found.root, "id=" + w.runID(), "key=" + w.key, "target=" + w.target()}, more...)
}
