package sshconn

import (
	"bytes"
	"maps"
	"net"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/sshtest"
	"tripod/installer/sshtest/container"
)

// TestRealServers: commands and both methods of uploading, on real sshd's.
func TestRealServers(t *testing.T) {
	t.Parallel()
	by := map[container.Kind]string{
		container.PasswordKind:            BySFTP,
		container.KeyKind:                 BySFTP,
		container.KeyboardInteractiveKind: BySFTP,
		container.SudoPasswordKind:        BySFTP,
		container.MaxSessionsKind:         BySFTP,
		container.SFTPOffKind:             ByExec,
		container.ChattyKind:              ByExec,
		container.DropbearKind:            "", // whether it has one depends on what else is installed
		container.CshKind:                 BySFTP,
		container.FishKind:                BySFTP,
	}
	kinds := []container.Kind{container.MaxSessionsKind, container.DropbearKind, container.CshKind}
	if sshtest.Long() {
		kinds = slices.Collect(maps.Keys(by))
	}
	for _, host := range container.StartAll(t, kinds) {
		t.Run(string(host.Kind), func(t *testing.T) {
			nc, err := net.Dial("tcp", host.Endpoint().HostPort())
			require.NoError(t, err)
			c := open(t, long(), nc, host.Endpoint().User, host.Login())
			try := func(want string) {
				for _, size := range []int{10 << 10, 1<<20 + 5} {
					data := randomBytes(size)
					require.NoError(t, c.Upload(t.Context(), newBlob(data), "/tmp/it's"))
					if want != "" {
						assert.Equal(t, want, c.UploadedBy())
					}
					var out bytes.Buffer
					code, err := c.Exec(t.Context(), installer.Command{Line: `exec sh -c 'cat "$1"' sh "/tmp/it'\''s"`, Stdout: &out})
					if host.Kind == container.CshKind || host.Kind == container.FishKind || code != 0 {
						out.Reset() // the quoting above is for POSIX shells
						code, err = c.Exec(t.Context(), installer.Command{Line: `exec sh -c 'cat /tmp/it*'`, Stdout: &out})
					}
					require.NoError(t, err)
					assert.Zero(t, code)
					assert.True(t, bytes.HasSuffix(out.Bytes(), data), "%d bytes", out.Len())
				}
			}
			try(by[host.Kind])
			c.sftp.missing = true // the other method must work in each login shell too
			try(ByExec)

			var tty bytes.Buffer
			_, err = c.Exec(t.Context(), installer.Command{Line: `exec sh -c 'tty; head -n 1'`, Stdin: bytes.NewBufferString("in\n"), Stdout: &tty, PTY: true})
			require.NoError(t, err)
			assert.Contains(t, tty.String(), "/dev/pts/")
			assert.Contains(t, tty.String(), "in\n")
			assert.NotContains(t, tty.String(), "\r")
			require.NoError(t, c.CanForward(t.Context()))
		})
	}
}
