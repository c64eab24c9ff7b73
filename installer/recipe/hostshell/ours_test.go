package hostshell

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"tripod/installer"
)

// TestFolderOfAnotherIsNeverOurs: also while its owner swaps it with a link to a folder of ours.
func TestFolderOfAnotherIsNeverOurs(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("needs another user's folder")
	}
	dir := t.TempDir()
	ours, theirs, link := filepath.Join(dir, "ours"), filepath.Join(dir, "theirs"), filepath.Join(dir, "link")
	for _, folder := range []string{ours, theirs} {
		require.NoError(t, os.Mkdir(folder, 0o700))
	}
	require.NoError(t, os.Chown(theirs, 65534, 65534))
	require.NoError(t, os.Symlink(ours, link))
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				_ = unix.Renameat2(unix.AT_FDCWD, theirs, unix.AT_FDCWD, link, unix.RENAME_EXCHANGE)
			}
		}
	}()
	defer func() { close(stop); <-stopped }()
	eachShell(t, func(t *testing.T, conn localConn) {
		s := New(conn, installer.Secret{}, "tag", "")
		defer s.Close()
		var found []string
		_, err := s.Ask(t.Context(), Request{
			Files: []string{"lib.sh", "test-ours"}, Verb: "ours", Args: []string{"root=" + theirs, "from=" + ours},
			Each: func(f Finding) { found = append(found, f.Word+" "+f.Get("n")) },
		})
		require.NoError(t, err)
		assert.Equal(t, []string{"own ", "theirs 0"}, found)
	})
}
