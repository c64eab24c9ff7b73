package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
)

func readLog(t *testing.T, s *Store, id string) string {
	t.Helper()
	r, err := s.Log(t.Context(), project, id)
	require.NoError(t, err)
	text, err := io.ReadAll(r)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	return string(text)
}

func TestLogIsCutAndMarkedOnce(t *testing.T) {
	t.Parallel()
	s := newTest(t, Options{LogCap: 10})
	submit(t, s, batch("B1", "h1", "h2", "h3"))
	for i, c := range []struct {
		writes []string // "|": the log is closed and opened again
		want   string
	}{
		{[]string{"12345", "67890"}, "1234567890"},
		{[]string{"12345", "|", "67890", "x", "|", "y"}, "1234567890\n[tripod: output cut at 10 bytes]\n"},
		{[]string{"12345678\nabcdef", "more"}, "12345678\na\n[tripod: output cut at 10 bytes]\n"},
	} {
		inv, err := s.Invocation(t.Context(), project, fmt.Sprintf("B1-%04d", i))
		require.NoError(t, err)
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

type rewindable interface {
	io.WriteCloser
	installer.Rewinder
}

func TestLogGoesBack(t *testing.T) {
	t.Parallel()
	s := newTest(t, Options{})
	inv := &installer.Invocation{ID: "I1", BatchID: "B1", ProjectID: "p"}
	read := func() string {
		raw, err := os.ReadFile(s.path(logsDir, "B1", "I1.log"))
		require.NoError(t, err)
		return string(raw)
	}
	reopen := func() rewindable {
		log, err := s.OpenLog(t.Context(), inv)
		require.NoError(t, err)
		return log.(rewindable)
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
	s := newTest(t, Options{})
	submit(t, s, batch("B1", "h1"))
	inv := claim(t, s, t0, "")
	log, err := s.OpenLog(t.Context(), inv)
	require.NoError(t, err)
	_, err = log.Write(nil)
	require.NoError(t, err)
	finish(t, s, inv, installer.Succeeded) // the log is still open
	require.NoError(t, log.Close())
	assert.NoDirExists(t, s.path(logsDir, "B1"))
	_, err = s.Log(t.Context(), "another", inv.ID)
	require.ErrorIs(t, err, installer.ErrNotFound)
}

func TestLogNeverLeavesItsFolder(t *testing.T) {
	t.Parallel()
	s := newTest(t, Options{})
	for _, id := range []string{"../x", "..", "a/b", "", ".hidden", "a\x00b"} {
		_, err := s.OpenLog(t.Context(), &installer.Invocation{ID: id, BatchID: "B1"})
		require.Error(t, err, "%q", id)
		_, err = s.OpenLog(t.Context(), &installer.Invocation{ID: "I1", BatchID: id})
		require.Error(t, err, "%q", id)
	}
}

func TestBlobs(t *testing.T) {
	t.Parallel()
	s := newTest(t, Options{})
	content := bytes.Repeat([]byte("telescope "), 100_000)
	sum := sha256.Sum256(content)
	ref, err := s.PutBlob(t.Context(), bytes.NewReader(content), `C:\packages/telescope_linux_amd64.tar.gz`)
	require.NoError(t, err)
	assert.Equal(t, installer.BlobRef{SHA256: hex.EncodeToString(sum[:]), Size: int64(len(content)), Name: "telescope_linux_amd64.tar.gz"}, ref)
	again, err := s.PutBlob(t.Context(), bytes.NewReader(content), "other")
	require.NoError(t, err)
	assert.Equal(t, ref.SHA256, again.SHA256)

	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			b, err := s.OpenBlob(ref)
			if !assert.NoError(t, err) {
				return
			}
			got, err := io.ReadAll(io.NewSectionReader(b, 0, b.Ref().Size))
			assert.NoError(t, err)
			assert.True(t, bytes.Equal(content, got))
			assert.Equal(t, ref, b.Ref())
			_, closes := b.(io.Closer)
			assert.False(t, closes, "it is shared")
		})
	}
	wg.Wait()
	entries, err := os.ReadDir(s.path(blobsDir))
	require.NoError(t, err)
	assert.Len(t, entries, 1, "no temporary file is left")
}

func TestBlobFaults(t *testing.T) {
	t.Parallel()
	s := newTest(t, Options{})
	broken := errors.New("the upload broke off")
	_, err := s.PutBlob(t.Context(), io.MultiReader(strings.NewReader("half"), iotest.ErrReader(broken)), "x")
	require.ErrorIs(t, err, broken)
	require.NotErrorIs(t, err, installer.ErrStorage)
	entries, err := os.ReadDir(s.path(blobsDir))
	require.NoError(t, err)
	assert.Empty(t, entries)

	for _, sum := range []string{"", "../../etc/passwd", strings.Repeat("a", 64), strings.Repeat("A", 64)} {
		_, err := s.OpenBlob(installer.BlobRef{SHA256: sum, Name: "x"})
		require.ErrorIs(t, err, installer.ErrNotFound)
	}
	ref, err := s.PutBlob(t.Context(), strings.NewReader("good content"), "/")
	require.NoError(t, err)
	assert.Equal(t, "file", ref.Name)
	wrongSize := ref
	wrongSize.Size++
	_, err = s.OpenBlob(wrongSize)
	require.ErrorIs(t, err, installer.ErrStorage)
	require.NoError(t, os.WriteFile(s.path(blobsDir, ref.SHA256), []byte("evil content"), 0o600))
	_, err = s.OpenBlob(ref)
	require.ErrorIs(t, err, installer.ErrStorage)
	_, err = s.PutBlob(t.Context(), strings.NewReader("good content"), "x")
	require.NoError(t, err)
	_, err = s.OpenBlob(ref)
	require.NoError(t, err, "adding it again mends it")
}
