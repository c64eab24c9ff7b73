package local_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tripod/installer/local"
)

// TestMain makes the test binary the other process too: as it is told, it connects to
// the socket of a folder or listens there.
func TestMain(m *testing.M) {
	dir := os.Getenv("FOLDER")
	switch os.Getenv("AS") {
	case "client":
		os.Exit(asClient(dir))
	case "server":
		os.Exit(asServer(dir))
	}
	goleak.VerifyTestMain(m)
}

// asClient connects without looking who is there, and says whether it was let in.
func asClient(dir string) int {
	conn, err := net.Dial("unix", filepath.Join(dir, local.SocketName))
	if err != nil {
		return 3
	}
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		return 4
	}
	return 0
}

// asServer listens without looking who comes, until its standard input ends.
func asServer(dir string) int {
	path := filepath.Join(dir, local.SocketName)
	if _, err := net.Listen("unix", path); err != nil {
		return 3
	}
	if os.Chmod(path, 0o777) != nil {
		return 3
	}
	_, _ = os.Stdout.WriteString("listens\n")
	_, _ = io.Copy(io.Discard, os.Stdin)
	return 0
}

// other is this program as another process, of another user if uid is not 0.
func other(t *testing.T, as, dir string, uid uint32) *exec.Cmd {
	t.Helper()
	program, err := os.Executable()
	require.NoError(t, err)
	if uid != 0 {
		program = "/proc/self/exe" // the other user may not find it
	}
	cmd := exec.Command(program)
	cmd.Env = []string{"AS=" + as, "FOLDER=" + dir}
	if uid != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	}
	return cmd
}

// greet lets in who is let in, and says something.
func greet(t *testing.T, dir string) net.Listener {
	t.Helper()
	ln, err := local.Listen(dir)
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte("x"))
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() {
		require.NoError(t, ln.Close())
		<-done
	})
	return ln
}

func TestSocket(t *testing.T) {
	t.Parallel()
	for name, dir := range map[string]string{
		"short": t.TempDir(),
		"long":  filepath.Join(t.TempDir(), strings.Repeat("long/", 60)),
	} {
		require.NoError(t, os.MkdirAll(dir, 0o700))
		_, err := local.Dial(t.Context(), dir)
		require.True(t, local.NotListening(err), "%s: %v", name, err)
		_, err = local.Dial(t.Context(), filepath.Join(dir, "none"))
		require.True(t, local.NotListening(err), "%s: %v", name, err)

		ln := greet(t, dir)
		info, err := os.Lstat(filepath.Join(dir, local.SocketName))
		require.NoError(t, err)
		assert.Equal(t, os.ModeSocket|0o600, info.Mode(), name)
		conn, err := local.Dial(t.Context(), dir)
		require.NoError(t, err, name)
		assert.Equal(t, uint32(os.Geteuid()), conn.(local.Conn).UID)
		said, err := io.ReadAll(conn)
		require.NoError(t, err)
		assert.Equal(t, "x", string(said))
		require.NoError(t, conn.Close())

		require.NoError(t, ln.Close())
		_, err = os.Lstat(filepath.Join(dir, local.SocketName))
		require.ErrorIs(t, err, os.ErrNotExist, name)
	}
}

// TestSocketLeftBehind: that of a process that was killed is nobody's, and replaced.
func TestSocketLeftBehind(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server := other(t, "server", dir, 0)
	stdin, err := server.StdinPipe()
	require.NoError(t, err)
	defer stdin.Close()
	stdout, err := server.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, server.Start())
	_, err = stdout.Read(make([]byte, 8))
	require.NoError(t, err)
	require.NoError(t, server.Process.Kill())
	_ = server.Wait()

	_, err = local.Dial(t.Context(), dir)
	require.True(t, local.NotListening(err), "%v", err)
	greet(t, dir)
	conn, err := local.Dial(t.Context(), dir)
	require.NoError(t, err)
	require.NoError(t, conn.Close())
}

// openFolder is one that every user can enter: nothing but the look at who is there
// keeps strangers out.
func openFolder(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to be another user too")
	}
	dir, err := os.MkdirTemp("/tmp", "local")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	require.NoError(t, os.Chmod(dir, 0o777))
	return dir
}

const nobody = 65534

// TestStrangerIsNotServed: whoever gets to the socket, another user is not let in.
func TestStrangerIsNotServed(t *testing.T) {
	t.Parallel()
	dir := openFolder(t)
	greet(t, dir)
	require.NoError(t, os.Chmod(filepath.Join(dir, local.SocketName), 0o777))
	require.NoError(t, other(t, "client", dir, 0).Run())
	err := other(t, "client", dir, nobody).Run()
	exit, ok := errors.AsType[*exec.ExitError](err)
	require.True(t, ok, "%v", err)
	require.Equal(t, 4, exit.ExitCode(), "it is connected, and cut off")
}

// TestStrangerIsNotAsked: nothing is sent to another user's process, unless the folder
// is that user's.
func TestStrangerIsNotAsked(t *testing.T) {
	t.Parallel()
	dir := openFolder(t)
	server := other(t, "server", dir, nobody)
	stdin, err := server.StdinPipe()
	require.NoError(t, err)
	stdout, err := server.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, server.Start())
	_, err = stdout.Read(make([]byte, 8))
	require.NoError(t, err)

	_, err = local.Dial(t.Context(), dir)
	require.ErrorIs(t, err, local.ErrOtherUser)
	require.NoError(t, os.Chown(dir, nobody, nobody))
	conn, err := local.Dial(t.Context(), dir)
	require.NoError(t, err)
	assert.Equal(t, uint32(nobody), conn.(local.Conn).UID)
	require.NoError(t, conn.Close())
	require.NoError(t, stdin.Close())
	require.NoError(t, server.Wait())
}

func TestPipe(t *testing.T) {
	t.Parallel()
	p := local.NewPipe()
	accepted := make(chan net.Conn)
	go func() {
		conn, _ := p.Accept()
		accepted <- conn
	}()
	near, err := p.Dial(t.Context())
	require.NoError(t, err)
	far := <-accepted
	go func() { _, _ = far.Write([]byte("x")) }()
	_, err = near.Read(make([]byte, 1))
	require.NoError(t, err)
	require.NoError(t, near.Close())
	require.NoError(t, far.Close())

	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = p.Dial(canceled)
	require.ErrorIs(t, err, context.Canceled)
	require.NoError(t, p.Close())
	require.NoError(t, p.Close())
	_, err = p.Dial(t.Context())
	require.ErrorIs(t, err, net.ErrClosed)
	_, err = p.Accept()
	require.ErrorIs(t, err, net.ErrClosed)
}

// TestClosedSocketServesWhoHasCome: who was let in before the close is accepted after
// it, and nobody comes any more.
func TestClosedSocketServesWhoHasCome(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ln, err := local.Listen(dir)
	require.NoError(t, err)
	var came []net.Conn
	for range 5 {
		conn, err := local.Dial(t.Context(), dir)
		require.NoError(t, err)
		came = append(came, conn)
	}
	late := filepath.Join(t.TempDir(), local.SocketName) // who has looked up the name already
	require.NoError(t, os.Link(filepath.Join(dir, local.SocketName), late))
	require.NoError(t, ln.Close())
	require.NoError(t, ln.Close())
	_, err = local.Dial(t.Context(), dir)
	require.True(t, local.NotListening(err), "%v", err)
	_, err = local.Dial(t.Context(), filepath.Dir(late))
	require.True(t, local.NotListening(err), "%v", err)
	for _, conn := range came {
		accepted, err := ln.Accept()
		require.NoError(t, err)
		assert.Equal(t, uint32(os.Geteuid()), accepted.(local.Conn).UID)
		_, err = accepted.Write([]byte("x"))
		require.NoError(t, err)
		require.NoError(t, accepted.Close())
		said, err := io.ReadAll(conn)
		require.NoError(t, err)
		assert.Equal(t, "x", string(said))
		require.NoError(t, conn.Close())
	}
	_, err = ln.Accept()
	require.ErrorIs(t, err, net.ErrClosed)
}
