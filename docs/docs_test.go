// Package docs holds tests of the documentation: its layout, its links, and the
// tables that are generated from the code.
package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// maxColumns keeps a page readable in a terminal and in a review.
const maxColumns = 160

// pages are all pages by their path in the repository.
func pages(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, pattern := range []string{"*.md", "docs/*.md", "scripts/*.md", "testdata/images/*.md"} {
		names, err := filepath.Glob(filepath.Join("..", filepath.FromSlash(pattern)))
		require.NoError(t, err)
		require.NotEmpty(t, names, pattern)
		for _, name := range names {
			text, err := os.ReadFile(name)
			require.NoError(t, err)
			all[filepath.ToSlash(strings.TrimPrefix(name, ".."+string(filepath.Separator)))] = string(text)
		}
	}
	return all
}

func TestLinesAreShort(t *testing.T) {
	t.Parallel()
	for page, text := range pages(t) {
		for i, line := range strings.Split(text, "\n") {
			assert.LessOrEqual(t, utf8.RuneCountInString(line), maxColumns, "%s:%d is too long", page, i+1)
		}
	}
}

var (
	fenced  = regexp.MustCompile("(?ms)^```.*?^```$")
	link    = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.+)$`)
	ignored = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// anchors are what GitHub makes of the headings of a page.
func anchors(text string) map[string]bool {
	all := map[string]bool{"": true}
	for _, found := range heading.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
		title := ignored.ReplaceAllString(strings.ToLower(found[1]), "")
		all[strings.ReplaceAll(title, " ", "-")] = true
	}
	return all
}

func TestLinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	all := pages(t)
	for page, text := range all {
		for _, found := range link.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
			if strings.Contains(found[1], "://") {
				continue
			}
			file, anchor, _ := strings.Cut(found[1], "#")
			to := page
			if file != "" {
				to = filepath.ToSlash(filepath.Join(filepath.Dir(page), file))
			}
			assert.FileExists(t, filepath.Join("..", to), "%s links to %s", page, found[1])
			if target, ok := all[to]; ok && anchor != "" {
				assert.True(t, anchors(target)[anchor], "%s links to %s, which has no such heading", page, found[1])
			}
		}
	}
}

// fileNamed is a file or folder of the repository in backticks.
var fileNamed = regexp.MustCompile("`((?:cmd|installer|store|scripts|testdata|docs)/[A-Za-z0-9_./-]*)`")

func TestNamedFilesExist(t *testing.T) {
	t.Parallel()
	for page, text := range pages(t) {
		for _, found := range fileNamed.FindAllStringSubmatch(text, -1) {
			_, err := os.Stat(filepath.Join("..", found[1]))
			assert.NoError(t, err, "%s names %s", page, found[1])
		}
	}
}

var (
	testNamed   = regexp.MustCompile(`\b(?:Test|Fuzz|Benchmark)[A-Z][A-Za-z0-9_]*…?`)
	requirement = regexp.MustCompile(`(?m)^(?:require)?\s+(\S+) v\S+$`)
	testFunc    = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)[A-Z][A-Za-z0-9_]*)\(`)
)

// testsOf are the names of all tests in the repository.
func testsOf(t *testing.T) []string {
	t.Helper()
	var names []string
	require.NoError(t, filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, found := range testFunc.FindAllSubmatch(text, -1) {
			names = append(names, string(found[1]))
		}
		return err
	}))
	return names
}

func TestNamedTestsExist(t *testing.T) {
	t.Parallel()
	names := "\n" + strings.Join(testsOf(t), "\n") + "\n"
	for page, text := range pages(t) {
		for _, name := range testNamed.FindAllString(text, -1) {
			want := "\n" + name + "\n"
			if prefix, ok := strings.CutSuffix(name, "…"); ok {
				want = "\n" + prefix // any test that begins so
			}
			assert.True(t, strings.Contains(names, want), "%s names a test that does not exist: %s", page, name)
		}
	}
}

// TestDependenciesAreListed: docs/dependencies.md has every library that go.mod
// requires directly, and no other.
func TestDependenciesAreListed(t *testing.T) {
	t.Parallel()
	var direct []string
	for _, file := range []string{"../go.mod", "../testdata/sdk/go.mod"} {
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, found := range requirement.FindAllStringSubmatch(string(raw), -1) {
			if !strings.HasPrefix(found[1], "tripod") && !slices.Contains(direct, found[1]) {
				direct = append(direct, found[1])
			}
		}
	}
	raw, err := os.ReadFile("dependencies.md")
	require.NoError(t, err)
	var listed []string
	for _, found := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllSubmatch(raw, -1) {
		listed = append(listed, string(found[1]))
	}
	assert.ElementsMatch(t, direct, listed)
}
