package api_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/api"
	"tripod/store"
)

var update = flag.Bool("update", false, "write the answers of the documentation")

const apiDoc = "../../docs/api.md"

// holdDoc compares a document with what it should be, or writes that.
func holdDoc(t *testing.T, is, want string) {
	t.Helper()
	if *update {
		require.NoError(t, os.WriteFile(apiDoc, []byte(want), 0o644))
		return
	}
	require.Equal(t, want, is, "run: go test ./installer/api -run DocExamples -update")
}

// TestItemCodes: each has the API's form, is there once and says what to do.
func TestItemCodes(t *testing.T) {
	t.Parallel()
	seen := map[api.Code]bool{}
	for _, row := range api.ItemCodes() {
		require.Regexp(t, `^invocationmgr\.[0-9]{4}$`, row.Code)
		require.False(t, seen[row.Code], "%s is there twice", row.Code)
		seen[row.Code] = true
		require.NotEmpty(t, row.Meaning)
		require.NotEmpty(t, row.Hint)
	}
}

// example is a command of the documentation, with the answer that is printed
// below it.
var example = regexp.MustCompile("(?s)(?:<!-- example: ([^ ]+) fails -->\n)?```sh\n(.*?)```\n```json\n(.*?)```\n")

// TestDocExamples runs every command of the documentation as it stands there,
// with a shell and curl, and holds the answer against the printed one. Between
// two of them the test plays the engine and ends what is open.
func TestDocExamples(t *testing.T) {
	raw, err := os.ReadFile(apiDoc)
	require.NoError(t, err)
	curl, err := exec.LookPath("curl")
	if err != nil && os.Getenv("CI") != "true" {
		t.Skip("SKIPPED: the examples need curl, which is not installed")
	}
	require.NoError(t, err, "the examples need curl, and CI must not skip this")

	x := newExamples(t)
	found := 0
	doc := example.ReplaceAllStringFunc(string(raw), func(block string) string {
		found++
		part := example.FindStringSubmatch(block)
		require.Contains(t, part[2], "curl ", "an example without curl (%s) proves nothing", curl)
		answer := x.run(part[2])
		x.finish(part[1])
		return strings.Replace(block, "```json\n"+part[3], "```json\n"+answer, 1)
	})
	require.Equal(t, strings.Count(doc, "```sh\n"), found, "an example without an answer is not run")
	require.Greater(t, found, 7)
	holdDoc(t, string(raw), doc)
}

// examples is a daemon whose ids and times are always the same, and the shell's
// environment.
type examples struct {
	*rig
	mu  sync.Mutex
	now time.Time
	ids int
	env map[string]string
}

// clock is read by every request.
func (x *examples) clock() time.Time {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.now
}

// later is the time when some has passed.
func (x *examples) later(d time.Duration) time.Time {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.now = x.now.Add(d)
	return x.now
}

func (x *examples) newID() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.ids++
	return fmt.Sprintf("01KQHA8QG0EXAMPLE%09d", x.ids)
}

func newExamples(t *testing.T) *examples {
	x := &examples{now: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)}
	st := openStore(t, t.TempDir()+"/state", store.Options{Clock: x.clock, KeepSucceeded: time.Hour, KeepOther: time.Hour})
	x.rig = rigOn(t, st, func(c *api.Config) { c.Clock, c.NewID = x.clock, x.newID })
	x.addPackage("amd64", "2.7.1", installer.Basic)
	x.addPackage("amd64", "2.7.2", installer.Basic)
	x.env = map[string]string{"TRIPOD": x.url, "PROJECT": "p1", "TOKEN": x.addToken("p1", "ops"), "PATH": os.Getenv("PATH")}
	return x
}

// run runs one command and returns what it printed, laid out.
func (x *examples) run(script string) string {
	x.t.Helper()
	cmd := exec.CommandContext(x.t.Context(), "sh", "-eu", "-c", script)
	cmd.Env = []string{}
	for k, v := range x.env {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(x.t, err, "%s\n%s", script, stderr.String())
	var first struct {
		Invocations []api.Result `json:"invocations"`
	}
	require.NoError(x.t, json.Unmarshal(out, &first), "%s", out)
	if len(first.Invocations) > 0 {
		x.env["INSTANCE_ID"], x.env["INVOCATION_ID"] = first.Invocations[0].InstanceID, first.Invocations[0].InvocationID
	}
	var laid bytes.Buffer
	require.NoError(x.t, json.Indent(&laid, bytes.TrimSpace(out), "", "  "))
	return laid.String() + "\n"
}

// finish ends what is open, as the engine would on healthy hosts; the one at
// the address fails refuses the connection.
func (x *examples) finish(fails string) {
	x.t.Helper()
	for {
		now := x.later(7 * time.Second)
		inv, _, err := x.store.Claim(x.t.Context(), now, installer.ClaimFilter{})
		require.NoError(x.t, err)
		if inv == nil {
			return
		}
		tr := installer.Transition{
			State: installer.Succeeded, EndAttempt: true, At: now, Message: "verified on the host",
			Outcome: installer.Outcome{Agent: installer.AgentRunning, TargetVersion: "2.7.1"},
		}
		switch {
		case inv.Host.Address == fails:
			tr = installer.Transition{State: installer.Failed, EndAttempt: true, At: now, Kind: installer.KindRefused, Message: "10.0.0.12:22: connection refused"}
		case inv.Type == installer.Update:
			tr.Outcome.CurrentVersion, tr.Outcome.TargetVersion = "2.7.1", "2.7.2"
		}
		require.NoError(x.t, x.store.Finish(x.t.Context(), inv.Ref(), tr))
	}
}
