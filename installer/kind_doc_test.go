package installer_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
)

var update = flag.Bool("update", false, "write the tables of the documentation anew")

// The table of kinds in the documentation is the one in the code.
// `go test ./installer -run KindsDoc -update` writes it.
func TestKindsDoc(t *testing.T) {
	t.Parallel()
	table := "| kind | usually at | attempts | ends as | what to do |\n| --- | --- | ---: | --- | --- |\n"
	for _, k := range installer.Kinds() {
		table += fmt.Sprintf("| `%s` | %s | %d | %s | %s |\n", k.Kind, k.Step, k.Tries, k.End(), k.Hint)
	}
	requireTable(t, "../docs/failures.md", "<!-- kinds: made from installer/kind.go -->\n", "<!-- end of kinds -->\n", table)
}

// requireTable: between its marks the document has this table. -update writes it.
func requireTable(t *testing.T, path, begin, end, table string) {
	t.Helper()
	doc, err := os.ReadFile(path)
	require.NoError(t, err)
	before, rest, ok := strings.Cut(string(doc), begin)
	require.True(t, ok, "the mark %q is missing", begin)
	_, after, ok := strings.Cut(rest, end)
	require.True(t, ok, "the mark %q is missing", end)
	want := before + begin + table + end + after
	if *update {
		require.NoError(t, os.WriteFile(path, []byte(want), 0o644))
		return
	}
	assert.Equal(t, want, string(doc), "run: go test ./installer -run %s -update", t.Name())
}
