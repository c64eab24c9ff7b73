package control

import (
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestDocsNameEveryRoute: the table of docs/control-api.md is the code's.
func TestDocsNameEveryRoute(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../docs/control-api.md")
	require.NoError(t, err)
	var told, there []string
	for _, found := range regexp.MustCompile("(?m)^\\| `([A-Z]+ /[^`]+)` \\|").FindAllSubmatch(raw, -1) {
		told = append(told, string(found[1]))
	}
	for _, r := range Routes(Config{}) {
		there = append(there, r.Method+" "+r.Pattern)
	}
	slices.Sort(told)
	slices.Sort(there)
	require.Equal(t, there, told)
}
