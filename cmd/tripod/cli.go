package main

import (
	"os"
	"path/filepath"

	"tripod/installer"
)

const description = `Sets up agents on fleets of hosts over SSH.

  tripod check   -f hosts.txt --ask-pass
  tripod install -f hosts.txt --package telescope_linux_amd64.tar.gz
  tripod update  -f hosts.txt --package telescope_linux_amd64.tar.gz
  tripod status ; tripod logs ID ; tripod retry BATCH ; tripod rollback BATCH

Every flag can be given as an environment variable TRIPOD_… too. Results go to
stdout, everything else to stderr. Exit codes: 0 all succeeded, 1 some host did
not, 2 bad usage or input, 3 stopped by --max-failures, 4 interrupted and can
be resumed, 5 storage or internal error.`

const (
	defaultParallel = installer.DefaultParallel
	defaultUser     = "root"
)

// cli is the whole command line.
type cli struct {
	common

	Install            installCmd            `cmd:"" help:"Install the agent on the hosts of a file."`
	Update             updateCmd             `cmd:"" help:"Update the agent on the hosts of a file; the version before is kept there."`
	Check              checkCmd              `cmd:"" help:"Look at hosts, change nothing."`
	Status             statusCmd             `cmd:"" help:"Show batches, a batch, or one invocation with its steps."`
	Logs               logsCmd               `cmd:"" help:"Show what was printed on a host."`
	Retry              retryCmd              `cmd:"" help:"Go on with batches or invocations: what is unfinished, and what failed."`
	Rollback           rollbackCmd           `cmd:"" help:"Undo a batch or an invocation: back to the version before, offline."`
	Cancel             cancelCmd             `cmd:"" help:"Cancel an unfinished batch or invocation."`
	SetRemoteInstaller setRemoteInstallerCmd `cmd:"" help:"Make known hosts installers (jump hosts) of the project, or take that back."`
	Serve              serveCmd              `cmd:"" help:"Run the daemon with the agent-task API."`
	Tokens             tokensCmd             `cmd:"" help:"Manage the API's tokens."`
	Keys               keysCmd               `cmd:"" help:"Manage the API's access keys, for signed requests."`
	Audit              auditCmd              `cmd:"" help:"Show and check the audit log."`
	Hosts              hostsCmd              `cmd:"" help:"Manage what is known of hosts."`
	Packages           packagesCmd           `cmd:"" help:"Manage the catalogue of packages."`
	Version            versionCmd            `cmd:"" help:"Print the version."`
}

// common are the flags of every command.
type common struct {
	StateDir string `help:"Where batches, results and sealed credentials are kept." default:"${state_dir}" type:"path" placeholder:"DIR"`
	Verbose  bool   `short:"v" help:"Every step and the debug log on stderr."`
	projectFlag
	serverFlags
}

// outputFlag is --output of the commands that show invocations.
type outputFlag struct {
	Output string `short:"o" enum:"table,json,csv,junit" default:"table" help:"table, json, csv or junit."`
}

// tableFlag is --output of the commands that show lists of something else.
type tableFlag struct {
	Output string `short:"o" enum:"table,json,csv" default:"table" help:"table, json or csv."`
}

// documentFlag is --output of the commands that show one thing.
type documentFlag struct {
	Output string `short:"o" enum:"table,json" default:"table" help:"table or json."`
}

// defaultStateDir is the user's state folder as XDG has it.
func defaultStateDir() string {
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "tripod")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		home = "/"
	}
	return filepath.Join(home, ".local", "state", "tripod")
}
