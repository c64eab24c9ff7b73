package files

import (
	"fmt"
	"io"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
)

func readLog(t *testing.T, s *Files, id string) string {
	t.Helper()
	r, err := s.ReadLog("B1", id)
	require.NoError(t, err)
	text, err := io.ReadAll(r)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	return string(text)
}

func TestLogIsCutAndMarkedOnce(t *testing.T) {
	t.Parallel()
	s := newTest(t)
	s.LogCap = 10
	for i, c := range []struct {
		writes []string // "|": the log is closed and opened again
		want   string
	}{
		{[]string{"12345", "67890"}, "1234567890"},
		{[]string{"12345", "|", "67890", "x", "|", "y"}, "1234567890\n[tripod: output cut at 10 bytes]\n"},
		{[]string{"12345678\nabcdef", "more"}, "12345678\na\n[tripod: output cut at 10 bytes]\n"},
	} {
		inv := installer.Invocation{ID: fmt.Sprint("I", i), BatchID: "B1", ProjectID: project}
		require.Empty(t, readLog(t, s, inv.ID), "empty if it has none")
		log, err := s.OpenLog(t.Context(), &inv)
		require.NoError(t, err)
		for _, w := range c.writes {
			if w == "|" {
				require.NoError(t, log.Close())
				log, err = s.OpenLog(t.Context(), &inv)
				require.NoError(t, err)
				continue
			}
			n, err := io.WriteString(log, w)
			require.NoError(t, err)
			require.Equal(t, len(w), n)
		}
		assert.Equal(t, c.want, readLog(t, s, inv.ID), "readable while it is written")
		require.NoError(t, log.Close())
		require.NoError(t, log.Close())
		_, err = io.WriteString(log, "late")
		require.ErrorIs(t, err, installer.ErrStorage)
		assert.Equal(t, c.want, readLog(t, s, inv.ID))
	}
}

func TestLogGoesBack(t *testing.T) {
	t.Parallel()
	s := newTest(t)
	inv := &installer.Invocation{ID: "I1", BatchID: "B1", ProjectID: "p"}
	read := func() string {
		raw, err := os.ReadFile(s.path(LogsFolder, "B1", "I1.log"))
		require.NoError(t, err)
		return string(raw)
	}
	reopen := func() installer.Log {
		log, err := s.OpenLog(t.Context(), inv)
		require.NoError(t, err)
		return log
	}
	log := reopen()
	at, err := log.Position()
	require.NoError(t, err)
	assert.Zero(t, at)
	_, _ = log.Write([]byte("one\n"))
	at, err = log.Position()
	require.NoError(t, err)
	_, _ = log.Write([]byte("two"))
	require.NoError(t, log.Close())

	log = reopen()
	require.NoError(t, log.Rewind(at))
	_, _ = log.Write([]byte("two\nthree\n"))
	require.NoError(t, log.Rewind(1<<40), "there is nothing after that")
	require.NoError(t, log.Close())
	assert.Equal(t, "one\ntwo\nthree\n", read())
	require.ErrorIs(t, log.Rewind(0), installer.ErrStorage)
}

func TestLogCostsNothingWhenEmpty(t *testing.T) {
	t.Parallel()
	s := newTest(t)
	log, err := s.OpenLog(t.Context(), &installer.Invocation{ID: "I1", BatchID: "B1", ProjectID: project})
	require.NoError(t, err)
	_, err = log.Write(nil)
	require.NoError(t, err)
	require.NoError(t, log.Close())
	assert.NoDirExists(t, s.path(LogsFolder, "B1"))
}

func TestLogNeverLeavesItsFolder(t *testing.T) {
	t.Parallel()
	s := newTest(t)
	for _, id := range []string{"../x", "..", "a/b", "", ".hidden", "a\x00b"} {
		_, err := s.OpenLog(t.Context(), &installer.Invocation{ID: id, BatchID: "B1"})
		require.Error(t, err, "%q", id)
		_, err = s.OpenLog(t.Context(), &installer.Invocation{ID: "I1", BatchID: id})
		require.Error(t, err, "%q", id)
	}
}
