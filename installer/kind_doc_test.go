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

const kindsDoc = "../docs/failures.md"

// The table of kinds in the documentation is the one in the code.
// `go test ./installer -run KindsDoc -update` writes it.
func TestKindsDoc(t *testing.T) {
	t.Parallel()
	const begin, end = "<!-- kinds: made from installer/kind.go -->\n", "<!-- end of kinds -->\n"
	table := begin + "| kind | usually at | attempts | ends as | what to do |\n| --- | --- | ---: | --- | --- |\n"
	for _, k := range installer.Kinds() {
		table += fmt.Sprintf("| `%s` | %s | %d | %s | %s |\n", k.Kind, k.Step, k.Tries, k.End(), k.Hint)
	}
	table += end

	doc, err := os.ReadFile(kindsDoc)
	require.NoError(t, err)
	before, rest, ok := strings.Cut(string(doc), begin)
	require.True(t, ok, "the mark %q is missing", begin)
	_, after, ok := strings.Cut(rest, end)
	require.True(t, ok, "the mark %q is missing", end)
	if *update {
		require.NoError(t, os.WriteFile(kindsDoc, []byte(before+table+after), 0o644))
		return
	}
	assert.Equal(t, before+table+after, string(doc), "run: go test ./installer -run KindsDoc -update")
}
