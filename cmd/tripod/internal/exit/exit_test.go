package exit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"

	"tripod/installer"
)

func TestExitCodes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		err  error
		code int
		says string
	}{
		{nil, 0, ""},
		{With(Hosts), 1, ""},
		{Usagef("no"), 2, "tripod: no\n"},
		{UsageError(errors.New("no"), "try yes"), 2, "tripod: no\nhint: try yes\n"},
		{installer.Faults{{Where: "a:1", What: "bad"}}, 2, "tripod: a:1: bad\n"},
		{installer.Faults{{Where: "a:1", What: "bad"}, {Where: "a:2", What: "worse"}}, 2, "tripod: 2 errors in the input; nothing was done:\na:1: bad\na:2: worse\n"},
		{fmt.Errorf("batch: %w", installer.ErrNotFound), 2, "tripod: batch: not found\n"},
		{fmt.Errorf("token: %w", installer.ErrExists), 2, "tripod: token: already exists\n"},
		{With(Limit), 3, ""},
		{installer.ErrShutdown, 4, "tripod: interrupted\n"},
		{context.Canceled, 4, "tripod: interrupted\n"},
		{fmt.Errorf("write: %w", installer.ErrStorage), 5, "tripod: write: storage error\n"},
		{fmt.Errorf("write: %w: %w", installer.ErrStorage, syscall.ENOSPC), 5, "tripod: write: storage error: no space left on device\nhint: free space on the file system of the state folder (--state-dir), then repeat the command\n"},
		{errors.New("a\x1b[2Jb\u202e"), 5, "tripod: a\\x1b[2Jb\\u202e\n"},
		{errors.Join(With(Hosts), nil), 1, ""},
	} {
		var b bytes.Buffer
		assert.Equal(t, tt.code, Report(&b, tt.err), "%v", tt.err)
		assert.Equal(t, tt.says, b.String())
	}
}
