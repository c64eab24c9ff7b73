package session

import (
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/cmd/tripod/internal/exit"
	"tripod/installer/control"
	"tripod/installer/local"
	"tripod/store"
)

// TestHolderThatHangs: connections to a stopped process still come about; who has the
// folder is said, and nobody waits for ever.
func TestHolderThatHangs(t *testing.T) {
	usual := greetingLimit
	greetingLimit = 50 * time.Millisecond
	t.Cleanup(func() { greetingLimit = usual })
	dir := t.TempDir()
	require.NoError(t, os.Chmod(dir, 0o700))
	st, err := store.Open(dir, store.Options{})
	require.NoError(t, err)
	defer st.Close()
	ln, err := local.Listen(dir) // and never accepts
	require.NoError(t, err)
	defer ln.Close()

	s := New(nil, io.Discard, io.Discard, "test")
	require.NoError(t, s.Open(t.Context(), Flags{StateDir: dir}, "tokens add"))
	said := fmt.Sprintf("another tripod process (pid %d) is using %s, and does not answer", os.Getpid(), dir)
	var e *exit.Error
	err = s.Change(t.Context(), func(*control.Client) error { return nil })
	require.ErrorAs(t, err, &e)
	assert.EqualError(t, e, said)
	assert.Equal(t, exit.Internal, e.Code)
	assert.Contains(t, e.Hint, "stopped or hangs")
	_, err = Ask(t.Context(), s, control.ListTokens, control.OfProject{})
	require.ErrorAs(t, err, &e)
	assert.EqualError(t, e, said)
}
