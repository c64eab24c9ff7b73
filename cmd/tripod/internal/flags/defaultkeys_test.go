package flags

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// A default key is one project's: no other one gets it, the project `default`'s
// least of all.
func TestDefaultKeysAreOfOneProject(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../../../testdata/hosts/example_ed25519")
	require.NoError(t, err)
	dir := t.TempDir()
	file := func(name string, mode os.FileMode) string {
		at := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(at, raw, mode))
		return at
	}
	plain, odd, loose := file("key", 0o600), file("a=b", 0o600), file("loose", 0o644)
	var warned []string
	logins := func(flags DefaultKeys) (func(string) bool, error) {
		warned = nil
		of, err := flags.Logins(t.Context(), func(format string, args ...any) { warned = append(warned, format) })
		return func(project string) bool {
			login, ok := of[project]
			require.Equal(t, ok, !login.IsZero())
			return ok
		}, err
	}

	has, err := logins(DefaultKeys{DefaultKey: []string{plain}})
	require.NoError(t, err)
	require.True(t, has("default"))
	require.False(t, has("p1"), "not of all projects")
	require.Empty(t, warned)

	has, err = logins(DefaultKeys{DefaultKey: []string{"p1=" + plain, "p2=" + loose}})
	require.NoError(t, err)
	require.True(t, has("p1"))
	require.True(t, has("p2"))
	require.False(t, has("default"))
	require.False(t, has(""))
	require.Len(t, warned, 1, "the loose one")

	has, err = logins(DefaultKeys{DefaultKey: []string{odd}})
	require.NoError(t, err, "a '=' in a file's name")
	require.True(t, has("default"))

	has, err = logins(DefaultKeys{})
	require.NoError(t, err)
	require.False(t, has("default"))

	for want, flags := range map[string]DefaultKeys{
		`the project "p1" has two`:           {DefaultKey: []string{"p1=" + plain, "p1=" + odd}},
		`the project "default" has two`:      {DefaultKey: []string{plain, "default=" + plain}},
		"names no file":                      {DefaultKey: []string{"p1="}},
		`the project "p2" has no`:            {DefaultKey: []string{"p1=" + plain}, DefaultPass: []string{"p2=" + plain}},
		"--default-key of project p1: stat ": {DefaultKey: []string{"p1=" + filepath.Join(dir, "none")}},
	} {
		_, err := logins(flags)
		require.ErrorContains(t, err, want)
	}
}
