package files

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
	"tripod/store/kv"
)

func refOf(data []byte) installer.BlobRef {
	sum := sha256.Sum256(data)
	return installer.BlobRef{SHA256: hex.EncodeToString(sum[:]), Size: int64(len(data)), Name: "f"}
}

func TestUploadInParts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := openTest(t, dir, time.Now)
	data := bytes.Repeat([]byte("0123456789"), 1000)
	ref := refOf(data)

	have, complete, err := s.AddToBlob(t.Context(), project, ref, 0, data[:4000])
	require.NoError(t, err)
	require.EqualValues(t, 4000, have)
	require.False(t, complete)
	_, err = s.OpenBlob(ref)
	require.ErrorIs(t, err, installer.ErrNotFound, "half a file is none")

	// The same part once more, and one that leaves a gap, change nothing.
	for _, offset := range []int64{0, 5000} {
		have, _, err = s.AddToBlob(t.Context(), project, ref, offset, data[:4000])
		require.NoError(t, err)
		require.EqualValues(t, 4000, have, "where to go on")
	}

	// Another process goes on with it.
	require.NoError(t, s.DB.Close())
	s = openTest(t, dir, time.Now)
	have, complete, err = s.BlobSize(t.Context(), project, ref.SHA256)
	require.NoError(t, err)
	require.EqualValues(t, 4000, have)
	require.False(t, complete)
	have, complete, err = s.AddToBlob(t.Context(), project, ref, have, data[4000:])
	require.NoError(t, err)
	require.True(t, complete)
	require.EqualValues(t, len(data), have)
	blob, err := s.OpenBlob(ref)
	require.NoError(t, err)
	got, err := io.ReadAll(io.NewSectionReader(blob, 0, ref.Size))
	require.NoError(t, err)
	require.Equal(t, data, got)
	info, err := os.Stat(s.path(BlobsFolder, ref.SHA256))
	require.NoError(t, err)
	require.EqualValues(t, 0o600, info.Mode().Perm())
}

func TestUploadOfSomethingElse(t *testing.T) {
	t.Parallel()
	s := openTest(t, t.TempDir(), func() time.Time { return time.Now().Add(2 * keepPart) })
	ref := refOf([]byte("what was promised"))
	_, _, err := s.AddToBlob(t.Context(), project, ref, 0, []byte("something else!!!"))
	var faults installer.Faults
	require.ErrorAs(t, err, &faults)
	have, complete, err := s.BlobSize(t.Context(), project, ref.SHA256)
	require.NoError(t, err)
	require.Zero(t, have, "it can be sent again")
	require.False(t, complete)

	_, _, err = s.AddToBlob(t.Context(), project, ref, 0, []byte("what was promised, and more"))
	require.ErrorAs(t, err, &faults)
	for _, sha := range []string{"", "../../etc/passwd", "part-x"} {
		_, _, err = s.BlobSize(t.Context(), project, sha)
		require.ErrorIs(t, err, installer.ErrNotFound)
		_, _, err = s.AddToBlob(t.Context(), project, installer.BlobRef{SHA256: sha, Size: 1}, 0, []byte("x"))
		require.ErrorIs(t, err, installer.ErrNotFound)
	}

	// What nobody goes on with is dropped when the next one begins.
	_, _, err = s.AddToBlob(t.Context(), project, ref, 0, []byte("what"))
	require.NoError(t, err)
	_, _, err = s.AddToBlob(t.Context(), project, refOf([]byte("another")), 0, []byte("ano"))
	require.NoError(t, err)
	have, _, err = s.BlobSize(t.Context(), project, ref.SHA256)
	require.NoError(t, err)
	require.Zero(t, have)
}

// TestUploadsArePerProject: the same file of two projects is one on disk, and is
// two in all that they can do and see.
func TestUploadsArePerProject(t *testing.T) {
	t.Parallel()
	s := newTest(t)
	data := []byte("#!/bin/sh\necho a script of one project's own\n")
	ref := refOf(data)
	add := func(project string, offset int64, data []byte) (int64, bool, error) {
		return s.AddToBlob(t.Context(), project, ref, offset, data)
	}
	size := func(project string) (int64, bool) {
		have, complete, err := s.BlobSize(t.Context(), project, ref.SHA256)
		require.NoError(t, err)
		return have, complete
	}
	_, _, err := add("p-one", 0, data[:10])
	require.NoError(t, err)
	have, _ := size("p-two")
	require.Zero(t, have, "what another is sending is not seen")

	// Somebody else sends something else under that hash.
	_, _, err = add("p-two", 0, bytes.Repeat([]byte("x"), len(data)-1))
	require.NoError(t, err)
	have, complete, err := add("p-one", 10, data[10:])
	require.NoError(t, err)
	require.True(t, complete)
	require.EqualValues(t, len(data), have)

	// What is here is not the other's before all of it was sent.
	have, complete = size("p-two")
	require.False(t, complete)
	require.EqualValues(t, len(data)-1, have)
	var faults installer.Faults
	_, _, err = add("p-two", have, []byte("x"))
	require.ErrorAs(t, err, &faults)
	_, complete = size("p-one")
	require.True(t, complete)
	_, err = s.OpenBlob(ref)
	require.NoError(t, err)
	_, complete, err = add("p-two", 0, data)
	require.NoError(t, err)
	require.True(t, complete)
	_, complete = size("p-two")
	require.True(t, complete)
	_, complete = size("p-three")
	require.False(t, complete)
	_, _, err = s.BlobSize(t.Context(), "../p", ref.SHA256)
	require.Error(t, err)

	// The package store is for all.
	require.NoError(t, s.AddPackage(t.Context(), installer.Package{
		BlobRef: installer.BlobRef{SHA256: ref.SHA256, Size: ref.Size, Name: "f", Arch: "amd64", Version: "1"}, Target: "telescope", Edition: installer.Basic,
	}))
	_, complete = size("p-three")
	require.True(t, complete)
	require.NoError(t, s.RemovePackage(t.Context(), ref.SHA256))
	for _, project := range []string{"p-one", "p-three"} {
		have, complete = size(project)
		require.False(t, complete, "its content is gone")
		require.Zero(t, have)
	}
	require.NoError(t, s.DB.View(t.Context(), func(tx *kv.Tx) error {
		first, _ := kv.First(tx.All(tSent, nil))
		require.Nil(t, first, "nor is it remembered who sent it")
		return nil
	}))
	_, _, err = add("p-two", 0, data)
	require.NoError(t, err)
	_, complete = size("p-one")
	require.False(t, complete, "another sent it since")
}
