package recipe

import (
	"cmp"
	"strings"

	"tripod/installer"
	"tripod/installer/lazyregexp"
	"tripod/installer/recipe/hostshell"
)

const maxFindings = 64

type findings struct {
	uid        string // of the one that did the work; empty: none
	kernel     string
	machine    string
	arch       string // GOARCH name, or "unknown"
	boot       string
	inbox      string // where a login that is not root may put files
	root       string // run root
	freeKiB    int64
	tried      []string // "FOLDER: why not"
	kept       []keptVersion
	unfinished string            // the version that a replacement found that was cut off
	have       map[string]bool   // blobs that are there, by SHA-256
	agent      map[string]string // how the agent is
	reporting  hostshell.Finding // whether it can report
	atBoot     map[string]string // whether it starts at boot
	looked     *int64            // exit code of the target's own probe
	lookedWhy  string
	fits       bool // the agent needs no work
	configured bool // it has the configuration that the task names
	run        runState
	began      int64   // where in the output of the script the reply begins
	begins     func()  // called when began is known, before any output; nil: nobody asks
	failed     string  // what failed
	busy       *string // who holds the lock
	end        *hostshell.Finding
}

type keptVersion struct {
	dir, version string
	by           string // run id of the task that has replaced it; empty: not reported
}

// runState has the words of run_state in scripts/host/lib.sh.
type runState struct {
	state    installer.RunState // absent, staged, alive, exited, died, fenced; empty: not reported
	code     int
	by       string // key of the attempt that started it
	age      int64  // seconds for which it is alive
	rebooted bool
	killed   string
}

var safePath = lazyregexp.New(`^(/[A-Za-z0-9._-]+)+$`)

func isSafePath(p string) bool {
	return len(p) <= 1024 && safePath.MatchString(p) && !strings.Contains(p+"/", "/../")
}

func (fs *findings) add(f hostshell.Finding) {
	switch f.Word {
	case "host":
		fs.uid, fs.kernel, fs.machine = f.Get("uid"), f.Get("kernel"), f.Get("machine")
		fs.arch, fs.boot = f.Get("arch"), f.Get("boot")
	case "inbox":
		if dir := f.Get("dir"); isSafePath(dir) {
			fs.inbox = dir
		}
	case "place":
		if root := f.Get("root"); isSafePath(root) {
			fs.root, fs.freeKiB = root, f.Number("free", 1<<50)
		}
	case "tried":
		if len(fs.tried) < maxFindings {
			fs.tried = append(fs.tried, f.Get("place")+": "+f.Get("why"))
		}
	case "have":
		if fs.have == nil {
			fs.have = map[string]bool{}
		}
		if len(fs.have) < maxFindings {
			fs.have[f.Get("sha")] = true
		}
	case "kept":
		if dir := f.Get("dir"); isSafePath(dir) && len(fs.kept) < maxFindings {
			fs.kept = append(fs.kept, keptVersion{dir, f.Get("version"), f.Get("by")})
			if strings.HasPrefix(dir, fs.root+"/kept/") && strings.HasSuffix(dir, ".next") {
				fs.unfinished = f.Get("version")
			}
		}
	case "agent":
		if f.Get("agent") != "" {
			fs.agent = f.Values
		}
		if f.Get("reporting") != "" {
			fs.reporting = f
		}
		fs.configured = fs.configured || f.Get("configured") == "same"
		if f.Get("boot") != "" {
			fs.atBoot = f.Values
		}
	case "looked":
		code := f.Number("code", 255)
		fs.looked, fs.lookedWhy = &code, f.Get("why")
	case "run":
		fs.run = readRunState(f)
	case "begin":
		fs.began = f.Number("at", 1<<62)
		if fs.begins != nil {
			fs.begins()
		}
	case "failed":
		if fs.failed == "" {
			fs.failed = f.Get("what")
		}
	case "busy":
		holder := f.Get("holder")
		fs.busy = &holder
	case "end":
		fs.end = &f
		if f.Get("state") != "" {
			fs.run = readRunState(f)
		}
		fs.fits = f.Get("fits") == "yes"
	}
}

// elsewhere names the folders of agents that are not in ours; empty: there are none.
func (fs *findings) elsewhere() string {
	return cmp.Or(fs.agent["at"], strings.ReplaceAll(fs.agent["elsewhere"], "\n", ", "))
}

// bootState is whether the agent starts at boot; empty: not reported.
func (fs *findings) bootState() installer.BootState {
	switch state := installer.BootState(fs.atBoot["boot"]); state {
	case installer.BootEnabled, installer.BootDisabled, installer.BootUnknown, "":
		return state
	}
	return installer.BootUnknown
}

func (fs *findings) answered() bool { return fs.end != nil || fs.failed != "" || fs.busy != nil }

func readRunState(f hostshell.Finding) runState {
	return runState{
		state:    installer.RunState(f.Get("state")),
		code:     int(f.Number("code", 255)),
		by:       f.Get("by"),
		age:      f.Number("age", 1<<31),
		rebooted: f.Get("rebooted") == "yes",
		killed:   f.Get("killed"),
	}
}
