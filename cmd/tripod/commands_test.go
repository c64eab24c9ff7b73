package main

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/cmd/tripod/internal/session"
)

// daemonCommands are the subcommands that work with --server as they do on a
// state folder, with arguments that get each as far as the daemon.
var daemonCommands = map[string]string{
	"install":              "--script ok.sh --password-file pw 192.0.2.1",
	"update":               "--script ok.sh --password-file pw 192.0.2.1",
	"configure":            "--agent-region r --password-file pw 192.0.2.1",
	"uninstall":            "--password-file pw 192.0.2.1",
	"check":                "--password-file pw 192.0.2.1",
	"status":               "",
	"logs":                 "192.0.2.1",
	"retry":                "--password-file pw 01JZ0000000000000000000000",
	"rollback":             "--password-file pw 01JZ0000000000000000000000",
	"cancel":               "01JZ0000000000000000000000",
	"set-remote-installer": "192.0.2.1",
	"tokens add":           "another",
	"tokens list":          "",
	"tokens remove":        "another",
	"keys add":             "another",
	"keys list":            "",
	"keys remove":          "another",
	"audit list":           "",
	"audit verify":         "",
	"audit prune":          "--before 2020-01-01",
	"hosts import":         "--password-file pw hosts.txt",
	"hosts list":           "",
	"hosts show":           "192.0.2.1",
	"hosts remove":         "192.0.2.1",
	"hosts forget-key":     "192.0.2.1",
	"packages add":         "agent.tar.gz",
	"packages list":        "",
	"packages remove":      "1.2.3",
}

// notOnDaemon are those that do not, and why.
var notOnDaemon = map[string]string{
	"serve":   "it is the daemon",
	"version": "it is about this program",
}

// subcommands are all that the command line has.
func subcommands(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, leaf := range newParser(&session.Flags{}, commands).Model.Leaves(false) {
		names = append(names, strings.TrimPrefix(leaf.FullPath(), "tripod "))
	}
	require.NotEmpty(t, names)
	return names
}

// TestEveryCommandHasADaemon: each subcommand works with --server, or is on the
// list of those that do not; and server_every_command.txtar has each of them do
// its work on a daemon.
func TestEveryCommandHasADaemon(t *testing.T) {
	t.Parallel()
	want := slices.Concat(slices.Collect(maps.Keys(daemonCommands)), slices.Collect(maps.Keys(notOnDaemon)))
	assert.ElementsMatch(t, want, subcommands(t), "daemonCommands and notOnDaemon are not what the command line has")

	raw, err := os.ReadFile(filepath.Join("..", "..", "testdata", "script", "server_every_command.txtar"))
	require.NoError(t, err)
	_, script, found := strings.Cut(string(raw), "env TRIPOD_TOKEN_FILE=")
	require.True(t, found)
	for name := range daemonCommands {
		assert.Regexp(t, `(?m)^(exec|exitcode [02]) tripod `+regexp.QuoteMeta(name)+`\b`, script, "server_every_command.txtar does not do it")
	}
}
