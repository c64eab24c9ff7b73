package main

import (
	"context"

	"github.com/alecthomas/kong"

	"tripod/cmd/tripod/internal/report"
	"tripod/cmd/tripod/internal/session"
	"tripod/installer/control"
)

const description = `Install and manage agents on fleets of hosts over SSH.

  tripod check   -f hosts.txt --ask-pass
  tripod install -f hosts.txt --package telescope_linux_amd64.tar.gz
  tripod update  -f hosts.txt --package telescope_linux_amd64.tar.gz
  tripod status ; tripod logs ID ; tripod retry BATCH ; tripod rollback BATCH

Every flag can also be set as an environment variable TRIPOD_…. Results are
written to stdout, everything else to stderr. Exit codes: 0 all hosts succeeded,
1 some hosts did not, 2 invalid usage or input, 3 stopped by --max-failures,
4 interrupted and can be resumed, 5 storage or internal error.`

// command is one of the first level.
type command struct {
	name string
	make func() any // a pointer to its struct
	help string
}

func of[C any]() any { return new(C) }

// commands are in the order of the help.
var commands = []command{
	{"install", of[installCmd], "Install the agent on hosts."},
	{"update", of[updateCmd], "Update the agent on hosts, and keep the previous version there for a rollback."},
	{"configure", of[configureCmd], "Change the configuration of the agent on hosts."},
	{"uninstall", of[uninstallCmd], "Remove the agent from hosts."},
	{"check", of[checkCmd], "Check that hosts can be reached and are suitable; change nothing."},
	{"status", of[statusCmd], "Show batches, the hosts of a batch, or the steps on one host."},
	{"logs", of[logsCmd], "Show the output of the installation on a host."},
	{"retry", of[retryCmd], "Resume what is unfinished and retry what failed."},
	{"rollback", of[rollbackCmd], "Restore the previous version on the hosts of a batch, without a download."},
	{"cancel", of[cancelCmd], "Cancel an unfinished batch, or one host of it."},
	{"set-remote-installer", of[setRemoteInstallerCmd], "Make hosts of the inventory jump hosts of the project, or remove that role."},
	{"serve", of[serveCmd], "Run the daemon with the agent-task API."},
	{"tokens", of[tokensCmd], "Manage the API tokens."},
	{"keys", of[keysCmd], "Manage the API access keys, for signed requests."},
	{"audit", of[auditCmd], "Show and verify the audit log."},
	{"hosts", of[hostsCmd], "Manage the host inventory."},
	{"packages", of[packagesCmd], "Manage the package store."},
	{"version", of[versionCmd], "Print the version."},
}

// newParser returns the parser of some commands, and of the flags of every command.
func newParser(flags *session.Flags, some []command, options ...kong.Option) *kong.Kong {
	options = append(options, kong.Name("tripod"), kong.Description(description), kong.DefaultEnvars("TRIPOD"), flagVars())
	for _, c := range some {
		options = append(options, kong.DynamicCommand(c.name, c.help, "", c.make()))
	}
	return kong.Must(flags, options...)
}

// reportFlag is --output of the commands that show what became of hosts.
type reportFlag struct {
	Output string `short:"o" enum:"table,json,csv,junit" default:"table" help:"Output format: table, json, csv or junit."`
}

// listFlag is --output of the commands that list something else.
type listFlag struct {
	Output string `short:"o" enum:"table,json,csv" default:"table" help:"Output format: table, json or csv."`
}

// textFlag is --output of the commands that show one thing.
type textFlag struct {
	Output string `short:"o" enum:"table,json" default:"table" help:"Output format: table or json."`
}

func (f textFlag) print(s *session.Session, doc any, text string) error {
	if f.Output != "json" {
		return s.Print(text)
	}
	return s.PrintMade(report.JSON(doc))
}

func printList[In, T any](
	ctx context.Context, s *session.Session, format string, list report.List[T], op control.Operation[In, []T], in In,
) error {
	items, err := session.Ask(ctx, s, op, in)
	if err != nil {
		return err
	}
	return list.Write(s.Stdout, format, report.Pages(items))
}
