package main

import (
	"context"

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

type cli struct {
	session.Flags

	Install            installCmd            `cmd:"" help:"Install the agent on hosts."`
	Update             updateCmd             `cmd:"" help:"Update the agent on hosts, and keep the previous version there for a rollback."`
	Configure          configureCmd          `cmd:"" help:"Change the configuration of the agent on hosts."`
	Uninstall          uninstallCmd          `cmd:"" help:"Remove the agent from hosts."`
	Check              checkCmd              `cmd:"" help:"Check that hosts can be reached and are suitable; change nothing."`
	Status             statusCmd             `cmd:"" help:"Show batches, the hosts of a batch, or the steps on one host."`
	Logs               logsCmd               `cmd:"" help:"Show the output of the installation on a host."`
	Retry              retryCmd              `cmd:"" help:"Resume what is unfinished and retry what failed."`
	Rollback           rollbackCmd           `cmd:"" help:"Restore the previous version on the hosts of a batch, without a download."`
	Cancel             cancelCmd             `cmd:"" help:"Cancel an unfinished batch, or one host of it."`
	SetRemoteInstaller setRemoteInstallerCmd `cmd:"" help:"Make hosts of the inventory jump hosts of the project, or remove that role."`
	Serve              serveCmd              `cmd:"" help:"Run the daemon with the agent-task API."`
	Tokens             tokensCmd             `cmd:"" help:"Manage the API tokens."`
	Keys               keysCmd               `cmd:"" help:"Manage the API access keys, for signed requests."`
	Audit              auditCmd              `cmd:"" help:"Show and verify the audit log."`
	Hosts              hostsCmd              `cmd:"" help:"Manage the host inventory."`
	Packages           packagesCmd           `cmd:"" help:"Manage the package store."`
	Version            versionCmd            `cmd:"" help:"Print the version."`
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

func (f textFlag) print(s *session.Session, doc any, text func() string) error {
	if f.Output != "json" {
		return s.Print(text())
	}
	return s.PrintMade(report.JSON(doc))
}

// printList prints what an operation answers with.
func printList[In, T any](
	ctx context.Context, s *session.Session, format string, list report.List[T], op control.Operation[In, []T], in In,
) error {
	items, err := session.Ask(ctx, s, op, in)
	if err != nil {
		return err
	}
	return list.Write(s.Stdout, format, report.Pages(items))
}
