package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/cmd/tripod/internal/session"
)

// answerTo is what the command line says to arguments that it does not know.
func answerTo(t *testing.T, parser *kong.Kong, args ...string) string {
	t.Helper()
	_, err := parser.Parse(args)
	if err == nil {
		return ""
	}
	return onlyLikelySuggestions(err).Error()
}

func quietParser(t *testing.T) *kong.Kong {
	t.Helper()
	return newParser(&session.Flags{}, commands, kong.Exit(func(int) {}), kong.Writers(t.Output(), t.Output()))
}

// TestNoSuggestionIsTheOpposite puts what negates before every command and flag.
func TestNoSuggestionIsTheOpposite(t *testing.T) {
	t.Parallel()
	parser := quietParser(t)
	tried := 0
	err := kong.Visit(parser.Model.Node, func(n kong.Visitable, next kong.Next) error {
		node, ok := n.(*kong.Node)
		if !ok {
			return next(nil)
		}
		path := strings.Fields(strings.TrimPrefix(node.FullPath(), "tripod"))
		var names []string
		for _, child := range node.Children {
			names = append(names, child.Name)
		}
		for _, group := range node.AllFlags(false) {
			for _, flag := range group {
				names = append(names, "--"+flag.Name)
			}
		}
		for _, name := range names {
			word := strings.TrimPrefix(name, "--")
			dashes := name[:len(name)-len(word)]
			for _, negation := range []string{"un", "un-", "de", "de-", "dis", "dis-", "no", "no-", "non", "in", "anti"} {
				opposite := dashes + negation + word
				answer := answerTo(t, parser, slices.Concat(path, []string{opposite})...)
				assert.NotContains(t, answer, fmt.Sprintf("%q", name), "%v %s", path, opposite)
				tried++
			}
		}
		return next(nil)
	})
	require.NoError(t, err)
	assert.Greater(t, tried, 1000)
}

func TestSuggestions(t *testing.T) {
	t.Parallel()
	parser := quietParser(t)
	for args, want := range map[string]string{
		"unupdate":                   "unexpected argument unupdate",
		"deinstall":                  "unexpected argument deinstall",
		"ininstall":                  "unexpected argument ininstall",
		"ninstall":                   "unexpected argument ninstall",
		"uinstall":                   "unexpected argument uinstall",
		"unset-remote-installer":     "unexpected argument unset-remote-installer",
		"hosts export":               "unexpected argument export",
		"set-remote-installer --set": "unknown flag --set",
		"install --min-failures":     "unknown flag --min-failures",
		"install --online-secure":    "unknown flag --online-secure",
		"install --unknown":          "unknown flag --unknown",
		"install --nosudo":           "unknown flag --nosudo",

		"instal":             `unexpected argument instal, did you mean "install"?`,
		"isntall":            `unexpected argument isntall, did you mean "install"?`,
		"instrall":           `unexpected argument instrall, did you mean "install"?`,
		"uninstal":           `unexpected argument uninstal, did you mean "uninstall"?`,
		"uninst":             `unexpected argument uninst, did you mean "uninstall"?`,
		"ret":                `unexpected argument ret, did you mean "retry"?`,
		"hosts imprt":        `unexpected argument imprt, did you mean "import"?`,
		"install --dry-rn":   `unknown flag --dry-rn, did you mean "--dry-run"?`,
		"install --known-ho": `unknown flag --known-ho, did you mean "--known-hosts"?`,
		"install --passw":    `unknown flag --passw, did you mean "--password-file"?`,
		"install --ask":      `unknown flag --ask, did you mean one of "--ask-pass", "--ask-sudo-pass", "--ask-via-pass", "--ask-agent-keys"?`,
	} {
		assert.Equal(t, want, answerTo(t, parser, strings.Fields(args)...))
	}
}
