package sshdial

import (
	"net"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"tripod/installer"
	"tripod/installer/sshtest"
)

// BenchmarkDialExec is one host's connection and one command; BenchmarkBare
// is the same without anything of ours. Both sides' CPU is in both figures, so
// their difference is what the client costs more.
func BenchmarkDialExec(b *testing.B) {
	s := sshtest.Start(b, sshtest.Config{})
	d := newDialer(b, Config{})
	host, creds := root(s)
	b.ReportAllocs()
	for b.Loop() {
		c, err := d.Dial(b.Context(), "p", host, creds, installer.AcceptNew, nil)
		require.NoError(b, err)
		_, err = c.Exec(b.Context(), installer.Command{Line: "true"})
		require.NoError(b, err)
		require.NoError(b, c.Close())
	}
}

func BenchmarkBare(b *testing.B) {
	s := sshtest.Start(b, sshtest.Config{})
	_, creds := root(s)
	b.ReportAllocs()
	for b.Loop() {
		nc, err := net.Dial("tcp", s.Addr())
		require.NoError(b, err)
		sc, chans, reqs, err := ssh.NewClientConn(nc, s.Addr(), &ssh.ClientConfig{
			User: "root", Auth: []ssh.AuthMethod{ssh.Password(creds.Password.Reveal())},
			HostKeyCallback: ssh.InsecureIgnoreHostKey(),
		})
		require.NoError(b, err)
		c := ssh.NewClient(sc, chans, reqs)
		ses, err := c.NewSession()
		require.NoError(b, err)
		require.NoError(b, ses.Run("true"))
		_ = c.Close()
	}
}
