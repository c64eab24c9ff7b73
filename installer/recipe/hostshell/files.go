package hostshell

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"

	"tripod/scripts"
)

var (
	ProbeFiles  = []string{"lib.sh", "probe.sh", agentScripts}
	InboxFiles  = []string{"lib.sh", "inbox.sh"}
	RunFiles    = []string{"lib.sh", "run.sh", "runner", agentScripts}
	AttachFiles = []string{"lib.sh", "run.sh"}
	KillFiles   = []string{"lib.sh", "kill.sh"}
	VerifyFiles = []string{"lib.sh", "verify.sh"}
	CleanFiles  = []string{"lib.sh", "clean.sh"}
)

const agentScripts = "put_agent" // puts the target's scripts on the host

func WithoutAgent(files []string) []string {
	return slices.DeleteFunc(slices.Clone(files), func(name string) bool { return name == agentScripts })
}

// hostFiles are scripts/host by name. Two more have texts for the host: "runner" has runner.sh as
// an assignment, "put_agent" the target's scripts in a function.
var hostFiles = sync.OnceValue(func() map[string]string {
	files := readScripts(scripts.Host, "host")
	var put strings.Builder
	put.WriteString("put_agent() {\n")
	target := readScripts(scripts.Files, "telescope")
	for _, name := range slices.Sorted(maps.Keys(target)) {
		fmt.Fprintf(&put, "put \"$1/%s\" %s || return\n", name, Quote(target[name]))
	}
	put.WriteString("}\n")
	files[agentScripts] = put.String()
	files["runner"] = "runner_text=" + Quote(files["runner.sh"]) + "\n"
	return files
})

func readScripts(from fs.FS, folder string) map[string]string {
	files := map[string]string{}
	entries, _ := fs.ReadDir(from, folder) // compiled in: nothing fails
	for _, entry := range entries {
		text, _ := fs.ReadFile(from, folder+"/"+entry.Name())
		files[entry.Name()] = withoutComments(string(text))
	}
	return files
}

// withoutComments removes the lines that are comments, which a host need not read. Our scripts
// have no text in which such a line means something.
func withoutComments(script string) string {
	var b strings.Builder
	for line := range strings.Lines(script) {
		if !strings.HasPrefix(strings.TrimLeft(line, "\t "), "#") || strings.HasPrefix(line, "#!") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// Quote makes one word of text for sh.
func Quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
