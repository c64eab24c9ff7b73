package sshconn

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tripod/installer/sshtest"
)

func BenchmarkUpload100K(b *testing.B) {
	for _, cfg := range []struct {
		name string
		cfg  sshtest.Config
	}{{"sftp", sshtest.Config{}}, {"exec", sshtest.Config{SFTP: sshtest.SFTPOff}}} {
		b.Run(cfg.name, func(b *testing.B) {
			s := sshtest.Start(b, cfg.cfg)
			c := connect(b, long(), s)
			blob, to := newBlob(randomBytes(100<<10)), s.Path("tmp", "f")
			b.SetBytes(100 << 10)
			b.ReportAllocs()
			for b.Loop() {
				require.NoError(b, c.Upload(b.Context(), blob, to))
			}
		})
	}
}
