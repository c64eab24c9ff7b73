package recipe

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/sshtest"
	"tripod/scripts"
)

const hostileValue = " '\"$HOME $(id)`id` \\\\ \\n*;&|<>#! é€\t\r\n-- 'end' "

// TestScriptIsGiven: a script gets its arguments, variables and files whichever rights it needs. Secret
// variables are in no command line, and stay nowhere on the host.
func TestScriptIsGiven(t *testing.T) {
	t.Parallel()
	const tells = `#!/bin/sh
for v in "$@" "$BOTH" "$OF_HOST" "$TRIPOD_HOST_NAME" "$TRIPOD_HOST_ADDRESS" "$TRIPOD_HOST_ID" "$TRIPOD_INVOCATION_ID" "$TRIPOD_BATCH_ID"; do
	printf '%s|' "$v"
done >"$TRIPOD_ROOT/given"
case $SECRET in C*Y-"$REST") echo right ;; esac
cat a.txt
echo changed >>a.txt
./tool; echo *
`
	for name, c := range map[string]struct {
		user string
		sudo sshtest.Sudo
		own  installer.Become
	}{
		"root":       {user: "root"},
		"sudo":       {user: "ops", sudo: sshtest.Sudo{Mode: sshtest.SudoPassword}},
		"requiretty": {user: "ops", sudo: sshtest.Sudo{Mode: sshtest.SudoPassword, RequireTTY: true}},
		"no sudo":    {user: "ops", sudo: sshtest.Sudo{Mode: sshtest.SudoMissing}, own: installer.BecomeNever},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := sshtest.Config{}
			if c.user != "root" {
				cfg = sudoHost(c.sudo)
			}
			b := newBed(t, cfg, c.user).script(tells)
			h := &b.inv.Host
			h.Become, h.Name, h.Vars = c.own, "web-1", map[string]string{"OF_HOST": hostileValue, "BOTH": "of the host"}
			b.inv.Spec.ScriptArgs = []string{"-x", "", hostileValue}
			b.inv.Spec.Env = map[string]string{"BOTH": "of all", "REST": hostileValue}
			b.creds.Vars = installer.Vars{"SECRET": installer.NewSecret("CANARY-" + hostileValue)}
			data, tool := b.blobs.put("a.txt", []byte("data\n")), b.blobs.put("tool", []byte("#!/bin/sh\necho tool\n"))
			b.inv.Spec.Send = []installer.BlobRef{data, tool}
			for range 2 {
				_, err := b.work(t.Context())
				require.NoError(t, err, b.out.String())
				require.Equal(t, "right\ndata\ntool\na.txt script tool\n", b.out.String())
				given, err := os.ReadFile(b.srv.Path("given"))
				require.NoError(t, err)
				require.Equal(t, "-x||"+hostileValue+"|of the host|"+hostileValue+"|web-1|"+h.Address+"|host-1|"+b.inv.ID+"|batch|", string(given))
				require.Contains(t, b.attempt().Steps[2].Note, "3 files sent")
				require.Empty(t, b.runFolders())
				b.again("inv-2")
			}
			for _, line := range b.srv.Counts().Execs {
				require.NotContains(t, line, "CANARY")
			}
			require.NoError(t, filepath.WalkDir(b.srv.Path(""), func(path string, d fs.DirEntry, err error) error {
				if err == nil && d.Type().IsRegular() {
					text, _ := os.ReadFile(path)
					require.NotContains(t, string(text), "CANARY", path)
				}
				return err
			}))
		})
	}
}

// TestRunnerGivesScriptVariables: what the runner evaluates means the same to every sh.
func TestRunnerGivesScriptVariables(t *testing.T) {
	t.Parallel()
	vars := map[string]string{"EMPTY": "", "lower_1": hostileValue}
	for _, name := range strings.Fields("BASH_ENV CDPATH COLUMNS ENV GLOBIGNORE HISTSIZE HOME HOSTNAME IFS LANG LINES MAIL OLDPWD " +
		"OPTARG OPTERR PATH PS1 PS4 SHELL TERM TMOUT USER born boot child code key line run start") {
		vars[name] = hostileValue
		if name == "TMOUT" || name == "OPTERR" || name == "HISTSIZE" || name == "LINES" || name == "COLUMNS" {
			vars[name] = "7"
		}
	}
	vars["LC_ALL"] = "C" // bash warns of a locale that there is none of, in front of the output
	runner, err := scripts.Host.ReadFile("host/runner.sh")
	require.NoError(t, err)
	for _, shell := range [][]string{{"dash"}, {"bash", "--posix"}, {"busybox", "sh"}} {
		t.Run(shell[0], func(t *testing.T) {
			t.Parallel()
			program, err := exec.LookPath(shell[0])
			if err != nil {
				t.Skip(shell[0] + " is not installed")
			}
			run := t.TempDir()
			w := &work{kind: script, inv: &installer.Invocation{Spec: installer.Spec{Env: vars, ScriptArgs: []string{"-0", "ARG=" + hostileValue}}}, job: &installer.Job{}}
			require.NoError(t, os.Mkdir(run+"/work", 0o700))
			require.NoError(t, os.WriteFile(run+"/runner.sh", runner, 0o600))
			// A program of its own: a shell would change some of its variables.
			require.NoError(t, os.Symlink("/usr/bin/env", run+"/work/script"))
			cmd := exec.Command(program, append(shell[1:], run+"/runner.sh", run, "key")...)
			cmd.Env = append(os.Environ(), "TRIPOD_SCRIPT="+w.scriptStart())
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, string(out))
			output, err := os.ReadFile(run + "/output")
			require.NoError(t, err)
			got := map[string]string{}
			for pair := range strings.SplitSeq(string(output), "\x00") {
				name, value, _ := strings.Cut(pair, "=")
				got[name] = value
			}
			require.NotContains(t, got, "TRIPOD_SCRIPT")
			require.Equal(t, hostileValue, got["ARG"])
			for name, value := range vars {
				require.Equal(t, value, got[name], name)
			}
		})
	}
}
