package sshconn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"tripod/installer"
)

// uploadLine reads the path from its first line of input that is not blank, so
// that nothing needs quoting, and the rest into that file. It means the same to
// sh, bash, csh and fish, whichever is the login shell. `read` takes no byte too
// many.
const uploadLine = `exec sh -c 'LC_ALL=C; export LC_ALL; umask 077; p=; while [ -z "$p" ]; do IFS= read -r p || exit; done; ` +
	`cat >"$p" && n=$(wc -c <"$p") && echo "tripod: size=$((n))"'`

// blankLines are for start-up files of the login shell that read their input.
const blankLines = "\n\n\n\n\n\n\n\n"

func (c *Conn) uploadExec(ctx context.Context, blob installer.Blob, to string) *installer.Failure {
	g := c.guard(ctx, c.limits.UploadStall, "an upload stood still")
	defer g.done()
	var stdout, stderr installer.Tail
	code, fail := c.exec(ctx, installer.Command{
		Line:   uploadLine,
		Stdin:  io.MultiReader(strings.NewReader(blankLines+to+"\n"), newUploadReader(ctx, g, blob)),
		Stdout: &stdout,
		Stderr: &stderr,
	})
	var err error
	switch {
	case fail != nil && fail.Kind != installer.KindLostContact:
		return fail
	case fail != nil:
		err = fail
	case code != 0:
		err = fmt.Errorf("exit code %d: %s", code, stderr.String())
	default:
		err = checkSize(stdout.String(), blob.Ref().Size)
	}
	if err != nil {
		return c.uploadFailure(ctx, g, to, err)
	}
	return nil
}

// checkSize finds the size that the host reports, whatever its login shell printed before.
func checkSize(out string, want int64) error {
	const label = "tripod: size="
	at := strings.LastIndex(out, label)
	if at < 0 {
		return errors.New("the host did not report the size of the file")
	}
	size, _, _ := strings.Cut(out[at+len(label):], "\n")
	switch got, err := strconv.ParseInt(strings.TrimSpace(size), 10, 64); {
	case err != nil:
		return err
	case got != want:
		return fmt.Errorf("%d bytes arrived of %d", got, want)
	}
	return nil
}
