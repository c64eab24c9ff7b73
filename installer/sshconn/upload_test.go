package sshconn

import (
	"bytes"
	"context"
	"crypto/rand"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/sshtest"
)

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

func TestUpload(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		cfg sshtest.Config
		by  string
	}{
		"sftp":            {sshtest.Config{}, BySFTP},
		"start stalls":    {sshtest.Config{Faults: []sshtest.Fault{{Stage: sshtest.SFTPStart, Action: sshtest.Stall}}}, ByExec},
		"open refused":    {sshtest.Config{Faults: []sshtest.Fault{{Stage: sshtest.SFTPOpen, Action: sshtest.Refuse}}}, ByExec},
		"sftp off":        {sshtest.Config{SFTP: sshtest.SFTPOff}, ByExec},
		"chatty shell":    {sshtest.Config{SFTP: sshtest.SFTPChatty, ShellNoise: "Welcome!\nHave a nice day\n"}, ByExec},
		"sftp ends early": {sshtest.Config{Faults: []sshtest.Fault{{Stage: sshtest.SFTPStart, Action: sshtest.Garbage}}}, ByExec},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := sshtest.Start(t, tc.cfg)
			limits := long()
			if name == "start stalls" {
				limits.Channel = 4 * time.Second
			}
			c := connect(t, limits, s)
			assert.Empty(t, c.UploadedBy())
			for _, size := range []int{0, 1, 100 << 10, 3<<20 + 17, 8 << 10} {
				data := randomBytes(size)
				path := s.Path("tmp", "it's a file")
				require.NoError(t, c.Upload(t.Context(), newBlob(data), path))
				got, err := os.ReadFile(path)
				require.NoError(t, err)
				assert.True(t, bytes.Equal(data, got), "%d bytes", size)
				assert.Equal(t, tc.by, c.UploadedBy())
			}
			if tc.by == ByExec {
				assert.LessOrEqual(t, s.Counts().SFTPs, 1, "asked once")
			}
			code, err := c.Exec(t.Context(), installer.Command{Line: "true"})
			require.NoError(t, err)
			assert.Zero(t, code)
		})
	}
}

// TestA11UploadStages: whatever a server does in an upload, it is
// upload-failed, within Limits.UploadStall.
func TestA11UploadStages(t *testing.T) {
	t.Parallel()
	stall := long()
	stall.UploadStall = short
	for _, tc := range []struct {
		name   string
		cfg    sshtest.Config
		fault  sshtest.Fault
		limits installer.Limits
		want   installer.Kind
	}{
		{"start drops", sshtest.Config{}, sshtest.Fault{Stage: sshtest.SFTPStart, Action: sshtest.Drop}, long(), installer.KindUploadFailed},
		{"open stalls", sshtest.Config{}, sshtest.Fault{Stage: sshtest.SFTPOpen, Action: sshtest.Stall}, stall, installer.KindUploadFailed},
		{"write stalls", sshtest.Config{}, sshtest.Fault{Stage: sshtest.SFTPWrite, Action: sshtest.Stall, After: 64 << 10}, stall, installer.KindUploadFailed},
		{"write drops", sshtest.Config{}, sshtest.Fault{Stage: sshtest.SFTPWrite, Action: sshtest.Drop, After: 64 << 10}, long(), installer.KindUploadFailed},
		{"write resets", sshtest.Config{}, sshtest.Fault{Stage: sshtest.SFTPWrite, Action: sshtest.Reset, After: 64 << 10}, long(), installer.KindUploadFailed},
		{"write refused", sshtest.Config{}, sshtest.Fault{Stage: sshtest.SFTPWrite, Action: sshtest.Refuse, After: 64 << 10}, long(), installer.KindNoSpace},
		{"write lies", sshtest.Config{}, sshtest.Fault{Stage: sshtest.SFTPWrite, Action: sshtest.Lie}, long(), installer.KindUploadFailed},
		{"close stalls", sshtest.Config{}, sshtest.Fault{Stage: sshtest.SFTPClose, Action: sshtest.Stall}, stall, installer.KindUploadFailed},
		{"network dies", sshtest.Config{}, sshtest.Fault{Stage: sshtest.Inbound, Action: sshtest.Stall, After: 300 << 10}, stall, installer.KindUploadFailed},
		{"exec stalls", sshtest.Config{SFTP: sshtest.SFTPOff}, sshtest.Fault{Stage: sshtest.ExitStatus, Action: sshtest.Stall}, stall, installer.KindUploadFailed},
		{"exec drops", sshtest.Config{SFTP: sshtest.SFTPOff}, sshtest.Fault{Stage: sshtest.ExitStatus, Action: sshtest.Drop}, long(), installer.KindUploadFailed},
		{"network dies under exec", sshtest.Config{SFTP: sshtest.SFTPOff}, sshtest.Fault{Stage: sshtest.Inbound, Action: sshtest.Stall, After: 300 << 10}, stall, installer.KindUploadFailed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			tc.cfg.Faults = []sshtest.Fault{tc.fault}
			s := sshtest.Start(t, tc.cfg)
			c := connect(t, tc.limits, s)
			err := c.Upload(t.Context(), newBlob(randomBytes(6<<20)), s.Path("tmp", "f"))
			f := kind(t, tc.want, err)
			t.Log(f.Detail)
		})
	}
}

func TestUploadEndsWithItsContext(t *testing.T) {
	t.Parallel()
	for _, cfg := range []sshtest.Config{{}, {SFTP: sshtest.SFTPOff}} {
		s := sshtest.Start(t, cfg)
		c := connect(t, long(), s)
		s.Inject(sshtest.Fault{Stage: sshtest.Inbound, Action: sshtest.Stall, After: 300 << 10})
		ctx, cancel := context.WithTimeout(t.Context(), short)
		err := c.Upload(ctx, newBlob(randomBytes(6<<20)), s.Path("tmp", "f"))
		kind(t, installer.KindStepTimeout, err)
		cancel()
	}
}

func TestUploadWhereItCannotBe(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]sshtest.Config{"sftp": {}, "exec": {SFTP: sshtest.SFTPOff}} {
		t.Run(name, func(t *testing.T) {
			s := sshtest.Start(t, cfg)
			c := connect(t, long(), s)
			b := newBlob([]byte("x"))
			kind(t, installer.KindUploadFailed, c.Upload(t.Context(), b, s.Path("no", "such", "folder")))
			kind(t, installer.KindInternal, c.Upload(t.Context(), b, "relative"))
			if _, err := os.Stat("/dev/full"); err == nil && name == "exec" {
				kind(t, installer.KindNoSpace, c.Upload(t.Context(), b, "/dev/full"))
			}
			require.NoError(t, c.Upload(t.Context(), b, s.Path("tmp", "after")), "the connection goes on")
		})
	}
}

// TestOneSessionAtATime: a server that allows one session serves commands and
// uploads in turn.
func TestOneSessionAtATime(t *testing.T) {
	t.Parallel()
	s := sshtest.Start(t, sshtest.Config{MaxSessions: 1})
	c := connect(t, long(), s)
	for range 2 {
		for _, size := range []int{1 << 10, 1 << 20} {
			require.NoError(t, c.Upload(t.Context(), newBlob(randomBytes(size)), s.Path("tmp", "f")))
			code, err := c.Exec(t.Context(), installer.Command{Line: "exit 3"})
			require.NoError(t, err)
			assert.Equal(t, 3, code)
			assert.Equal(t, BySFTP, c.UploadedBy())
		}
	}
}
