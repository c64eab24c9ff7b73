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

// uploadExec brings a file to a host that has no SFTP.
func (c *Conn) uploadExec(ctx context.Context, up installer.Upload) *installer.Failure {
	size := up.Blob.Ref().Size
	// The guard is armed anew by each chunk that the flow control lets out.
	g := c.guard(ctx, c.limits.UploadStall, "an upload stood still")
	defer g.done()
	src := &sendReader{r: io.NewSectionReader(up.Blob, 0, size), touch: g.touch, progress: up.Progress}
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

// sizeIn finds the last size that the host told, whatever its login shell
// printed before.
func sizeIn(out string) (int64, error) {
	_, after, ok := cutLast(out, "tripod: size=")
	if !ok {
		return 0, errors.New("the host did not tell the size of the file")
	}
	after, _, _ = strings.Cut(after, "\n")
	return strconv.ParseInt(strings.TrimSpace(after), 10, 64)
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// sendReader tells what has been handed to the channel: a chunk is asked for
// when the one before it has been let out.
type sendReader struct {
	r     io.Reader
	touch func()

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
	s.touch()
	if s.last > 0 && s.progress != nil {
		s.sent += int64(s.last)
		s.progress(s.sent)
	}
	n, err := s.r.Read(p)
	s.last = n
	return n, err
}

// end keeps a reader that is left behind from telling any more.
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
