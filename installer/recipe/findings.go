package recipe

import (
	"regexp"
	"strings"

	"tripod/installer"
)

// maxFindings caps what is kept of one conversation.
const maxFindings = 64

// findings is what the scripts said of a host.
type findings struct {
	entered   bool   // a host script ran as the login user
	uid       string // of the one that did the work; empty: none
	kernel    string
	machine   string
	arch      string // GOARCH name, or "unknown"
	boot      string
	spot      string // the login user's folder
	noSpot    bool
	traceless bool   // nothing was left on the host, that folder neither
	refused   string // why sudo would not, as it said it; empty: not asked
	root      string // run root
	freeKiB   int64
	tried     []string // "FOLDER: why not"
	kept      []keptVersion
	// unfinished is the version that a replacement found that was cut off.
	unfinished string
	have       map[string]bool   // blobs that are there, by SHA-256
	agent      map[string]string // how the agent is
	looked     *int64            // exit code of the target's own probe
	lookedWhy  string
	fits       bool // the agent needs no work
	run        runState
	began      int64   // where in the output of the script the reply begins
	failed     string  // what failed
	busy       *string // who holds the lock
	end        *finding
}

// keptVersion is one that a ROLLBACK can put back.
type keptVersion struct{ dir, version string }

// runState is how a run stands on the host; the words are those of run_state
// in scripts/host/lib.sh.
type runState struct {
	state    installer.RunState // absent, staged, alive, exited, died, fenced; empty: not told
	code     int
	by       string // key of the attempt that started it
	age      int64  // seconds for which it is alive
	rebooted bool
	killed   string
}

// safePath is what a path told by a host must look like to be used again.
var safePath = regexp.MustCompile(`^(/[A-Za-z0-9._-]+)+$`)

func isSafePath(p string) bool {
	return len(p) <= 1024 && safePath.MatchString(p) && !strings.Contains(p+"/", "/../")
}

// add takes one finding in.
func (fs *findings) add(f finding) {
	switch f.word {
	case "enter":
		fs.entered = true
	case "host":
		fs.uid, fs.kernel, fs.machine = f.get("uid"), f.get("kernel"), f.get("machine")
		fs.arch, fs.boot = f.get("arch"), f.get("boot")
	case "spot":
		if dir := f.get("dir"); isSafePath(dir) {
			fs.spot = dir
		}
	case "traceless":
		fs.spot, fs.traceless = "", true
	case "nospot":
		fs.noSpot = true
	case "refused":
		fs.refused = f.get("why")
		if fs.refused == "" {
			fs.refused = "no reason given"
		}
	case "place":
		if root := f.get("root"); isSafePath(root) {
			fs.root, fs.freeKiB = root, f.number("free", 1<<50)
		}
	case "tried":
		if len(fs.tried) < maxFindings {
			fs.tried = append(fs.tried, f.get("place")+": "+f.get("why"))
		}
	case "have":
		if fs.have == nil {
			fs.have = map[string]bool{}
		}
		if len(fs.have) < maxFindings {
			fs.have[f.get("sha")] = true
		}
	case "kept":
		if dir := f.get("dir"); isSafePath(dir) && len(fs.kept) < maxFindings {
			fs.kept = append(fs.kept, keptVersion{dir, f.get("version")})
			if strings.HasPrefix(dir, fs.root+"/kept/") && strings.HasSuffix(dir, ".next") {
				fs.unfinished = f.get("version")
			}
		}
	case "agent":
		if f.get("agent") != "" {
			fs.agent = f.pairs
		}
	case "looked":
		code := f.number("code", 255)
		fs.looked, fs.lookedWhy = &code, f.get("why")
	case "run":
		fs.run = readRunState(f)
	case "begin":
		fs.began = f.number("at", 1<<62)
	case "failed":
		if fs.failed == "" {
			fs.failed = f.get("what")
		}
	case "busy":
		holder := f.get("holder")
		fs.busy = &holder
	case "end":
		fs.end = &f
		if f.get("state") != "" {
			fs.run = readRunState(f)
		}
		fs.fits = f.get("fits") == "yes"
	}
}

// answered: the script came to its end.
func (fs *findings) answered() bool { return fs.end != nil || fs.failed != "" || fs.busy != nil }

func readRunState(f finding) runState {
	return runState{
		state:    installer.RunState(f.get("state")),
		code:     int(f.number("code", 255)),
		by:       f.get("by"),
		age:      f.number("age", 1<<31),
		rebooted: f.get("rebooted") == "yes",
		killed:   f.get("killed"),
	}
}
