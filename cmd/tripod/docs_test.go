package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	codeBlock = regexp.MustCompile("(?ms)^```[a-z]*\n(.*?)^```$")
	inBlock   = regexp.MustCompile(`(?m)(?:^|\$ |\$\(|&& )tripod ([^\n)|;>&#]*)`)
	inLine    = regexp.MustCompile("`tripod ([^`|…]+)`")
	longFlag  = regexp.MustCompile(`(?:^|[\s(\x60|])--([a-z][a-z-]+)`)
)

// TestDocsUseTheCommandLine: the pages for users name only commands and flags that
// there are, and the commands in their blocks can be run as they stand.
func TestDocsUseTheCommandLine(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("../../docs/*.md")
	require.NoError(t, err)
	require.NotEmpty(t, pages)
	parser := quietParser(t)
	known := map[string]bool{"help": true}
	for _, leaf := range parser.Model.Leaves(false) {
		for _, group := range leaf.AllFlags(false) {
			for _, flag := range group {
				known[flag.Name], known["no-"+flag.Name] = true, known["no-"+flag.Name] || flag.Tag.Negatable != ""
			}
		}
	}
	for _, page := range append(pages, "../../README.md", "../../CHANGELOG.md") {
		raw, err := os.ReadFile(page)
		require.NoError(t, err)
		text := strings.ReplaceAll(string(raw), "\\\n", "")
		for _, block := range codeBlock.FindAllStringSubmatch(text, -1) {
			for _, found := range inBlock.FindAllStringSubmatch(block[1], -1) {
				_, err := parser.Parse(strings.Fields(found[1]))
				assert.NoError(t, err, "%s: tripod %s", page, found[1])
			}
		}
		prose := codeBlock.ReplaceAllString(text, "")
		for _, found := range inLine.FindAllStringSubmatch(prose, -1) {
			if _, err := parser.Parse(strings.Fields(found[1])); err != nil {
				assert.Regexp(t, `^expected |missing `, err.Error(), "%s: tripod %s", page, found[1])
			}
		}
		for _, found := range longFlag.FindAllStringSubmatch(prose, -1) {
			assert.True(t, known[found[1]], "%s: there is no flag --%s", page, found[1])
		}
	}
}
