package sshtest_test

import (
	"context"
	"errors"
	"net"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer/sshtest"
	"tripod/installer/sshtest/netsim"
)

// canBeGiven tells whether the kernel may give the address to one who asks for any
// free port: it then takes none that anybody is bound to.
func canBeGiven(t *testing.T, addr string) bool {
	t.Helper()
	any := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var set error
		return errors.Join(raw.Control(func(fd uintptr) {
			set = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 0)
		}), set)
	}}
	l, err := any.Listen(context.Background(), "tcp", addr)
	if err == nil {
		require.NoError(t, l.Close())
		return true
	}
	require.ErrorIs(t, err, syscall.EADDRINUSE)
	return false
}

// A port that is refused for a while is nobody else's meanwhile.
func TestAStoppedServerKeepsItsPort(t *testing.T) {
	t.Parallel()
	s := sshtest.Start(t, sshtest.Config{})
	s.Stop()
	require.False(t, canBeGiven(t, s.Addr()))
	_, err := net.Dial("tcp", s.Addr())
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	require.NoError(t, s.Resume())
	dial(t, s, "root")

	s.Stop()
	other := sshtest.Start(t, sshtest.Config{Listen: s.Addr()}) // an impostor, who insists
	dial(t, other, "root")
}

// Stop is at once, also while commands are started: between fork and exec a child
// has all that is open here, a listener too.
func TestStopWhileCommandsAreStarted(t *testing.T) {
	t.Parallel()
	s := sshtest.Start(t, sshtest.Config{})
	stop := make(chan struct{})
	var starting sync.WaitGroup
	defer starting.Wait()
	defer close(stop)
	for range 4 {
		starting.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					assert.NoError(t, exec.Command("true").Run())
				}
			}
		})
	}
	for range 100 {
		s.Stop()
		_, err := net.Dial("tcp", s.Addr())
		require.ErrorIs(t, err, syscall.ECONNREFUSED)
		require.NoError(t, s.Resume())
	}
}

func TestUnusedPort(t *testing.T) {
	t.Parallel()
	port, release, err := netsim.UnusedPort()
	require.NoError(t, err)
	defer release()
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(int(port)))
	require.False(t, canBeGiven(t, addr))
	_, err = net.Dial("tcp", addr)
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	l, err := net.Listen("tcp", addr)
	require.NoError(t, err)
	require.NoError(t, l.Close())
}
