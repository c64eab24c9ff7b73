package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tripod/installer"
)

func refOf(data []byte) installer.BlobRef {
	sum := sha256.Sum256(data)
	return installer.BlobRef{SHA256: hex.EncodeToString(sum[:]), Size: int64(len(data)), Name: "f"}
}

func TestUploadInParts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir() + "/state"
	s, err := Open(dir, Options{})
	require.NoError(t, err)
	data := bytes.Repeat([]byte("0123456789"), 1000)
	ref := refOf(data)

	have, complete, err := s.AddToBlob(t.Context(), ref, 0, data[:4000])
	require.NoError(t, err)
	require.EqualValues(t, 4000, have)
	require.False(t, complete)
	_, err = s.OpenBlob(ref)
	require.ErrorIs(t, err, installer.ErrNotFound, "half a file is none")

	// The same part once more, and one that leaves a gap, change nothing.
	for _, offset := range []int64{0, 5000} {
		have, _, err = s.AddToBlob(t.Context(), ref, offset, data[:4000])
		require.NoError(t, err)
		require.EqualValues(t, 4000, have, "where to go on")
	}

	// Another process goes on with it.
	require.NoError(t, s.Close())
	s, err = Open(dir, Options{})
	require.NoError(t, err)
	defer func() { _ = s.Close() }()
	have, complete, err = s.BlobSize(ref.SHA256)
	require.NoError(t, err)
	require.EqualValues(t, 4000, have)
	require.False(t, complete)
	have, complete, err = s.AddToBlob(t.Context(), ref, have, data[4000:])
	require.NoError(t, err)
	require.True(t, complete)
	require.EqualValues(t, len(data), have)
	blob, err := s.OpenBlob(ref)
	require.NoError(t, err)
	got, err := io.ReadAll(io.NewSectionReader(blob, 0, ref.Size))
	require.NoError(t, err)
	require.Equal(t, data, got)
	info, err := os.Stat(s.path(blobsDir, ref.SHA256))
	require.NoError(t, err)
	require.EqualValues(t, 0o600, info.Mode().Perm())
}

func TestUploadOfSomethingElse(t *testing.T) {
	t.Parallel()
	s, err := Open(t.TempDir()+"/state", Options{Clock: func() time.Time { return time.Now().Add(2 * keepPart) }})
	require.NoError(t, err)
	defer func() { _ = s.Close() }()
	ref := refOf([]byte("what was promised"))
	_, _, err = s.AddToBlob(t.Context(), ref, 0, []byte("something else!!!"))
	var faults installer.Faults
	require.ErrorAs(t, err, &faults)
	have, complete, err := s.BlobSize(ref.SHA256)
	require.NoError(t, err)
	require.Zero(t, have, "it can be sent again")
	require.False(t, complete)

	_, _, err = s.AddToBlob(t.Context(), ref, 0, []byte("what was promised, and more"))
	require.ErrorAs(t, err, &faults)
	for _, sha := range []string{"", "../../etc/passwd", "part-x"} {
		_, _, err = s.BlobSize(sha)
		require.ErrorIs(t, err, installer.ErrNotFound)
		_, _, err = s.AddToBlob(t.Context(), installer.BlobRef{SHA256: sha, Size: 1}, 0, []byte("x"))
		require.ErrorIs(t, err, installer.ErrNotFound)
	}

	// What nobody goes on with is dropped when the next one begins.
	_, _, err = s.AddToBlob(t.Context(), ref, 0, []byte("what"))
	require.NoError(t, err)
	_, _, err = s.AddToBlob(t.Context(), refOf([]byte("another")), 0, []byte("ano"))
	require.NoError(t, err)
	have, _, err = s.BlobSize(ref.SHA256)
	require.NoError(t, err)
	require.Zero(t, have)
}
