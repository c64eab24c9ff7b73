package sshconn

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/sshtest"
)

func TestCanForward(t *testing.T) {
	t.Parallel()
	s := sshtest.Start(t, sshtest.Config{})
	require.NoError(t, connect(t, long(), s).CanForward(t.Context()))
	s = sshtest.Start(t, sshtest.Config{Forwarding: sshtest.Forwarding{Denied: true}})
	kind(t, installer.KindChannelDenied, connect(t, long(), s).CanForward(t.Context()))

	s = sshtest.Start(t, sshtest.Config{})
	l := long()
	l.Channel = short
	c := connect(t, l, s)
	s.Inject(sshtest.Fault{Stage: sshtest.ChannelOpen, Action: sshtest.Stall})
	kind(t, installer.KindChannelDenied, c.CanForward(t.Context()))
}
