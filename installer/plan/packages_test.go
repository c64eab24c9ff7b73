package plan

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"tripod/installer"
)

func TestChoosePackages(t *testing.T) {
	t.Parallel()
	pkg := func(sha, arch, version string, edition installer.Edition) installer.Package {
		return installer.Package{
			BlobRef: installer.BlobRef{SHA256: sha, Arch: arch, Version: version},
			Target:  "telescope", Edition: edition, Added: time.Unix(0, 0),
		}
	}
	again := pkg("a10-again", "amd64", "2.10.1", installer.Basic)
	again.Added = time.Unix(1, 0)
	stored := []installer.Package{
		pkg("a9", "amd64", "2.9.1", installer.Basic), pkg("a10", "amd64", "2.10.1", installer.Basic), again,
		pkg("r9", "arm64", "2.9.1", installer.Basic), pkg("x", "amd64", "3.0", installer.Advance),
		pkg("b4", "amd64", "2.4", installer.Basic), pkg("a4", "amd64", "2.4", installer.Advance), pkg("r4", "arm64", "2.4", installer.Basic),
	}
	for _, row := range []struct {
		target  string
		edition installer.Edition
		version string
		kept    installer.Edition
		want    []string
	}{
		{"telescope", installer.Basic, "", "", []string{"a10-again", "r9"}},
		{"telescope", "", "", "", []string{"a10-again", "r9"}},
		{"telescope", "", "3.0", "", []string{"x"}},
		{"telescope", installer.Advance, "", "", []string{"x"}},
		{"telescope", "", "2.9.1", "", []string{"a9", "r9"}},
		{"telescope", installer.Advance, "2.9.1", "", nil},
		{"other", "", "", "", nil},
		// A host keeps its edition, but a version that is named counts first.
		{"telescope", "", "", installer.Advance, []string{"x"}},
		{"telescope", "", "2.9.1", installer.Advance, []string{"a9", "r9"}},
		{"telescope", "", "3.0", installer.Basic, []string{"x"}},
		{"telescope", "", "2.4", installer.Advance, []string{"a4", "r4"}},
		{"telescope", "", "2.4", installer.Basic, []string{"b4", "r4"}},
		{"telescope", "", "2.4", "", []string{"b4", "r4"}},
		{"telescope", installer.Basic, "2.4", installer.Advance, []string{"b4", "r4"}},
		{"telescope", installer.Advance, "", installer.Basic, []string{"x"}},
		{"telescope", "", "7", installer.Advance, nil},
	} {
		var got []string
		for _, ref := range choosePackages(stored, installer.Spec{Target: row.target, VersionType: string(row.edition), Version: row.version}, row.kept) {
			got = append(got, ref.SHA256)
		}
		assert.True(t, slices.Equal(row.want, got), "%v: %v", row, got)
	}
}
