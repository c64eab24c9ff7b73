package sshconn

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"

	"tripod/installer"
)

// uploadLine reads the path from its first line of input, so that nothing
// needs quoting, and the rest into that file. It means the same to sh, bash,
// csh and fish, whichever is the login shell. `read` takes no byte too many.
const uploadLine = `exec sh -c 'LC_ALL=C; export LC_ALL; umask 077; IFS= read -r p && cat >"$p" && n=$(wc -c <"$p") && echo "tripod: size=$((n))"'`

// uploadExec uploads to a host that has no SFTP.
func (c *Conn) uploadExec(ctx context.Context, up installer.Upload) *installer.Failure {
	size := up.Blob.Ref().Size
	// Each chunk that flow control lets out restarts the limit.
	g := c.guard(ctx, c.limits.UploadStall, "an upload stood still")
	defer g.done()
	src := &sendReader{r: io.NewSectionReader(up.Blob, 0, size), chunk: g.progress, progress: up.Progress}
	defer src.end()
	var stdout, stderr capped
	code, fail := c.exec(ctx, installer.Command{
		Line:   uploadLine,
		Stdin:  io.MultiReader(strings.NewReader(up.Path+"\n"), src),
		Stdout: &stdout,
		Stderr: &stderr,
	})
	if fail != nil {
		if fail.Kind == installer.KindLostContact {
			return c.uploadFailure(ctx, g, up, fail)
		}
		return fail
	}
	if code != 0 {
		return c.uploadFailure(ctx, g, up, fmt.Errorf("exit code %d: %s", code, stderr.String()))
	}
	got, err := sizeIn(stdout.String())
	if err != nil {
		return c.uploadFailure(ctx, g, up, err)
	}
	if got != size {
		return c.uploadFailure(ctx, g, up, fmt.Errorf("%d bytes arrived of %d", got, size))
	}
	return nil
}

// sizeIn finds the size that the host reports, whatever its login shell printed
// before.
func sizeIn(out string) (int64, error) {
	const label = "tripod: size="
	at := strings.LastIndex(out, label)
	if at < 0 {
		return 0, errors.New("the host did not report the size of the file")
	}
	size, _, _ := strings.Cut(out[at+len(label):], "\n")
	return strconv.ParseInt(strings.TrimSpace(size), 10, 64)
}

// sendReader reports progress: a chunk is read when the one before it has been
// sent.
type sendReader struct {
	r     io.Reader
	chunk func() // called before each chunk

	mu       sync.Mutex
	progress func(int64)
	ended    bool
	sent     int64
	last     int
}

func (s *sendReader) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return 0, io.EOF
	}
	s.chunk()
	if s.last > 0 && s.progress != nil {
		s.sent += int64(s.last)
		s.progress(s.sent)
	}
	n, err := s.r.Read(p)
	s.last = n
	return n, err
}

// end stops the reports, also where a read is still in progress.
func (s *sendReader) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
}

// capped keeps the end of what is written to it.
type capped struct{ buf bytes.Buffer }

const cappedSize = 4 << 10

func (c *capped) Write(p []byte) (int, error) {
	c.buf.Write(p)
	if c.buf.Len() > 2*cappedSize {
		c.buf.Next(c.buf.Len() - cappedSize)
	}
	return len(p), nil
}

func (c *capped) String() string { return c.buf.String() }
