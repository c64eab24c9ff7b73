package files

import (
	"io"
	"os"
	"strings"
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

// chattyLog opens a log of which 4 bytes at the beginning are kept, and 2 to 4 at the end.
func chattyLog(t *testing.T) (s *Files, open func() installer.Log) {
	t.Helper()
	s = newTest(t)
	s.LogCap = 8
	return s, func() installer.Log {
		log, err := s.OpenLog(t.Context(), &installer.Invocation{ID: "I1", BatchID: "B1", ProjectID: project})
		require.NoError(t, err)
		return log
	}
}

func write(t *testing.T, log installer.Log, text string) {
	t.Helper()
	n, err := io.WriteString(log, text)
	require.NoError(t, err)
	require.Equal(t, len(text), n)
}

func TestD06BothEndsOfALogAreKept(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		writes []string // "|": the log is closed and opened again; "!": the process died, and so did not close it
		want   string
	}{
		"all of it fits":     {[]string{"123", "45678"}, "12345678"},
		"gap":                {[]string{"12345678", "9"}, "1234\n[tripod: 2 bytes left out here]\n789"},
		"much more":          {[]string{"12", "34567890abcdefgh", "ijk"}, "1234\n[tripod: 14 bytes left out here]\nijk"},
		"ends with its line": {[]string{"123\n", "567890"}, "123\n[tripod: 2 bytes left out here]\n7890"},
		"opened again":       {[]string{"123", "|", "45", "|", "6789", "|", "0"}, "1234\n[tripod: 2 bytes left out here]\n7890"},
		"died in between":    {[]string{"123", "!", "4567", "!", "890"}, "1234\n[tripod: 2 bytes left out here]\n7890"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, open := chattyLog(t)
			require.Empty(t, readLog(t, s, "I1"), "empty if it has none")
			log := open()
			for _, w := range c.writes {
				switch w {
				case "|":
					require.NoError(t, log.Close())
					log = open()
				case "!":
					log = open()
				default:
					write(t, log, w)
				}
			}
			assert.Equal(t, c.want, readLog(t, s, "I1"), "readable while it is written")
			require.NoError(t, log.Close())
			require.NoError(t, log.Close())
			_, err := io.WriteString(log, "late")
			require.ErrorIs(t, err, installer.ErrStorage)
			assert.Equal(t, c.want, readLog(t, s, "I1"))
		})
	}
}

func TestLogIsBoundedOnDisk(t *testing.T) {
	t.Parallel()
	s, open := chattyLog(t)
	log := open()
	for range 100 {
		write(t, log, "abcdefg")
		parts, err := logParts(s.logPath("B1", "I1"))
		require.NoError(t, err)
		size := int64(0)
		for _, p := range parts {
			size += p.size
		}
		require.LessOrEqual(t, size, s.LogCap)
	}
	require.NoError(t, log.Close())
	assert.True(t, strings.HasSuffix(readLog(t, s, "I1"), "efg"))
}

// What was read again takes the place of what was there: in the head, the tail and the gap, also by
// another process.
func TestChattyLogGoesBack(t *testing.T) {
	t.Parallel()
	for position, want := range map[int64]string{
		0:  "xy",
		3:  "123xy",
		4:  "1234xy",
		5:  "1234\n[tripod: 1 bytes left out here]\nxy",
		11: "1234\n[tripod: 6 bytes left out here]\nbxy",
		12: "1234\n[tripod: 6 bytes left out here]\nbcxy",
		13: "1234\n[tripod: 8 bytes left out here]\ndxy",
	} {
		s, open := chattyLog(t)
		log := open()
		write(t, log, "1234567890bcd")
		at, err := log.Position()
		require.NoError(t, err)
		require.EqualValues(t, 13, at)
		log = open()
		at, err = log.Position()
		require.NoError(t, err)
		require.EqualValues(t, 13, at)
		require.NoError(t, log.Rewind(position))
		at, err = log.Position()
		require.NoError(t, err)
		assert.Equal(t, position, at)
		write(t, log, "xy")
		require.NoError(t, log.Close())
		assert.Equal(t, want, readLog(t, s, "I1"), "back to %d", position)
	}
}

// A crash between two steps of a change, and a power cut that took the end of a part.
func TestLogAfterACrash(t *testing.T) {
	t.Parallel()
	s, open := chattyLog(t)
	log := open()
	write(t, log, "1234567890bcd")
	head := s.logPath("B1", "I1")
	parts, err := logParts(head)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(tailFolder(head)+"/0000000000000000008", []byte("90"), 0o600)) // not yet removed
	assert.Equal(t, "1234\n[tripod: 4 bytes left out here]\n90bcd", readLog(t, s, "I1"))
	require.NoError(t, os.Truncate(parts[1].path, 1))
	assert.Equal(t, "1234\n[tripod: 4 bytes left out here]\n90b\n[tripod: 1 bytes left out here]\nd", readLog(t, s, "I1"))
	log = open()
	write(t, log, "efghi")
	require.NoError(t, log.Close())
	assert.Contains(t, readLog(t, s, "I1"), "fghi")
	parts, err = logParts(head)
	require.NoError(t, err)
	assert.Len(t, parts, 3)
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

// A secret that comes in pieces, or where a part ends, is in none of them.
func TestSecretsWhereALogIsCut(t *testing.T) {
	t.Parallel()
	const secret = "open-sesame"
	for offset := range 24 {
		s := newTest(t)
		s.LogCap = 32
		log, err := s.OpenLog(t.Context(), &installer.Invocation{ID: "I1", BatchID: "B1", ProjectID: project})
		require.NoError(t, err)
		scrubber := installer.NewScrubber(log, []installer.Secret{installer.NewSecret(secret)})
		dots := strings.Repeat(".", offset)
		for _, text := range []string{dots, secret[:5], secret[5:], dots, secret} {
			_, err := io.WriteString(scrubber, text)
			require.NoError(t, err)
		}
		require.NoError(t, scrubber.Flush())
		text := readLog(t, s, "I1")
		assert.NotContains(t, text, secret[:3])
		assert.NotContains(t, text, secret[8:])
		require.NoError(t, log.Close())
	}
}
