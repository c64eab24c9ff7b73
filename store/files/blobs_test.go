package files

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
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

func TestBlobs(t *testing.T) {
	t.Parallel()
	s := newTest(t)
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
	entries, err := os.ReadDir(s.path(BlobsFolder))
	require.NoError(t, err)
	assert.Len(t, entries, 1, "no temporary file is left")
}

func TestBlobFaults(t *testing.T) {
	t.Parallel()
	s := newTest(t)
	broken := errors.New("the upload broke off")
	_, err := s.PutBlob(t.Context(), io.MultiReader(strings.NewReader("half"), iotest.ErrReader(broken)), "x")
	require.ErrorIs(t, err, broken)
	require.NotErrorIs(t, err, installer.ErrStorage)
	entries, err := os.ReadDir(s.path(BlobsFolder))
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
	require.NoError(t, os.WriteFile(s.path(BlobsFolder, ref.SHA256), []byte("evil content"), 0o600))
	_, err = s.OpenBlob(ref)
	require.ErrorIs(t, err, installer.ErrStorage)
	_, err = s.PutBlob(t.Context(), strings.NewReader("good content"), "x")
	require.NoError(t, err)
	_, err = s.OpenBlob(ref)
	require.NoError(t, err, "adding it again mends it")
}
