package scripts_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer/sshtest"
)

// TestShellcheck checks every shell script of the repository: by its name, or
// by its first line. It is what `make lint` runs, so the short run is without it.
func TestShellcheck(t *testing.T) {
	t.Parallel()
	if !sshtest.Long() {
		t.Skip("SKIPPED: in the long run and in `make lint` only")
	}
	need(t, "shellcheck")
	count := 0
	for _, top := range []string{".", "../testdata", "../installer", "../cmd", "../.ci"} {
		require.NoError(t, filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
			if os.IsNotExist(err) {
				return nil
			}
			if err != nil || d.IsDir() || !isShell(t, path, d) {
				return err
			}
			count++
			args := []string{path}
			if !hasShebang(t, path) { // a part of something, which knows the rest
				args = []string{"-s", "sh", "-e", "SC2154,SC2034", path}
			}
			text, err := exec.Command("shellcheck", args...).CombinedOutput()
			assert.NoError(t, err, "%s", text)
			return nil
		}))
	}
	assert.Greater(t, count, 10, "the scripts were not found")
}

func isShell(t *testing.T, path string, d fs.DirEntry) bool {
	if strings.HasSuffix(path, ".sh") {
		return true
	}
	return d.Type().IsRegular() && filepath.Ext(path) == "" && hasShebang(t, path)
}

// hasShebang: the first line names a shell.
func hasShebang(t *testing.T, path string) bool {
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	first, _, _ := strings.Cut(string(text), "\n")
	return strings.HasPrefix(first, "#!") && strings.HasSuffix(first, "sh")
}
