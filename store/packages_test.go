package store

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/store/files"
	"tripod/store/storetest"
)

func addPackage(tb testing.TB, s *Store, content, version, arch string) installer.Package {
	tb.Helper()
	ref, err := s.PutBlob(tb.Context(), strings.NewReader(content), content+".tar.gz")
	require.NoError(tb, err)
	ref.Version, ref.Arch = version, arch
	p := installer.Package{BlobRef: ref, Target: installer.TargetTelescope, Edition: installer.Basic, Added: t0}
	require.NoError(tb, s.AddPackage(tb.Context(), p))
	return p
}

func TestPackages(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(storetest.Dir(t), "state")
	s := openTest(t, dir, Options{})
	old := addPackage(t, s, "nine", "1.9", "amd64")
	arm := addPackage(t, s, "ten", "1.10", "arm64")
	amd := addPackage(t, s, "ten on amd", "1.10", "amd64")
	require.NoError(t, s.Purge(t.Context(), t0.Add(24*365*time.Hour)))
	require.NoError(t, s.Close())

	s = openTest(t, dir, Options{})
	all, err := s.Packages(t.Context(), installer.TargetTelescope)
	require.NoError(t, err)
	require.Len(t, all, 3)
	for i, want := range []string{amd.SHA256, arm.SHA256, old.SHA256} {
		assert.Equal(t, want, all[i].SHA256)
		assert.True(t, all[i].Added.Equal(t0))
		_, err := s.OpenBlob(all[i].BlobRef)
		require.NoError(t, err)
	}
	none, err := s.Packages(t.Context(), "other")
	require.NoError(t, err)
	assert.Empty(t, none)
	assert.NotNil(t, none)

	again := addPackage(t, s, "nine", "1.9.1", "amd64")
	assert.Equal(t, old.SHA256, again.SHA256)
	all, err = s.Packages(t.Context(), "")
	require.NoError(t, err)
	require.Len(t, all, 3, "the same content is one entry")
	assert.Equal(t, "1.9.1", all[2].Version)
}

func TestAddPackageRefuses(t *testing.T) {
	t.Parallel()
	s := newTest(t, Options{})
	good := addPackage(t, s, "good", "1", "amd64")
	for name, change := range map[string]func(*installer.Package){
		"SHA-256":      func(p *installer.Package) { p.SHA256 = "../../x" },
		"not found":    func(p *installer.Package) { p.SHA256 = strings.Repeat("0", 64) },
		"target":       func(p *installer.Package) { p.Target = "" },
		"version":      func(p *installer.Package) { p.Version = "" },
		"architecture": func(p *installer.Package) { p.Arch = "" },
		"edition":      func(p *installer.Package) { p.Edition = "GOLD" },
	} {
		p := good
		change(&p)
		require.ErrorContains(t, s.AddPackage(t.Context(), p), name)
	}
}

func TestRemovePackage(t *testing.T) {
	t.Parallel()
	s := newTest(t, Options{})
	p := addPackage(t, s, "content", "1.2.3", "amd64")
	kept := addPackage(t, s, "other", "1.2.4", "amd64")
	require.ErrorIs(t, s.RemovePackage(t.Context(), "0123"), installer.ErrNotFound)

	b := batch("B1", "h1", "h1", "h2")
	b.Items[1].Invocation.Spec.Packages = []installer.BlobRef{kept.BlobRef, p.BlobRef}
	submit(t, s, b)
	inUse := func(when string) {
		t.Helper()
		err := s.RemovePackage(t.Context(), p.SHA256)
		require.ErrorIs(t, err, installer.ErrInUse, when)
		assert.ErrorContains(t, err, "1 tasks")
	}
	inUse("ready")
	first := claim(t, s, t0, "B1")
	_ = claim(t, s, t0, "B1") // h2; the second for h1 is put on its wait list
	inUse("waiting for its host")
	finish(t, s, first, installer.Failed)
	second := claim(t, s, t0, "B1")
	require.NotNil(t, second)
	require.Equal(t, b.Items[1].Invocation.ID, second.ID)
	inUse("running")
	open, err := s.OpenBlob(p.BlobRef)
	require.NoError(t, err)
	finish(t, s, second, installer.Failed)

	require.NoError(t, s.RemovePackage(t.Context(), p.SHA256))
	all, err := s.Packages(t.Context(), "")
	require.NoError(t, err)
	require.Len(t, all, 1)
	assert.NoFileExists(t, s.path(files.BlobsFolder, p.SHA256))
	head := make([]byte, 7)
	_, err = open.ReadAt(head, 0)
	require.NoError(t, err, "who has it open reads on")
	assert.Equal(t, "content", string(head))
	_, err = s.OpenBlob(p.BlobRef)
	require.NoError(t, err, "a daemon's own package is open as long as it runs")
	require.ErrorIs(t, s.RemovePackage(t.Context(), p.SHA256), installer.ErrNotFound)
}

// TestC14SharedThingsNameTheProject: what belongs to no project is noted with that
// of the login, whose name is unique only there; on the command line there is none.
func TestC14SharedThingsNameTheProject(t *testing.T) {
	t.Parallel()
	s := newTest(t, Options{})
	local := addPackage(t, s, "nine", "1.9", "amd64")
	ctx := installer.WithActorProject(installer.WithActor(t.Context(), "token op"), "ops")
	require.NoError(t, s.AddPackage(ctx, local))
	require.NoError(t, s.RemovePackage(ctx, local.SHA256))
	actions := func() (all []installer.Action) {
		entries, err := s.Audit(t.Context(), installer.AuditFilter{Project: "ops"})
		require.NoError(t, err)
		for _, e := range entries {
			require.Equal(t, "token op", e.By)
			all = append(all, e.Action)
		}
		return all
	}
	require.Equal(t, []installer.Action{installer.AuditPackageAdd, installer.AuditPackageRemove}, actions())
	_, err := s.PruneAudit(ctx, t0.Add(time.Hour))
	require.NoError(t, err)
	require.Equal(t, []installer.Action{installer.AuditPrune}, actions())
}
