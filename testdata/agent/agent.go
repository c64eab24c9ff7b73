// Package agent builds the stand-in for the telescope package, for tests and
// the demo: the real one's layout, processes, version behaviour and bad habits,
// without its binaries and without any network.
package agent

import (
	"cmp"
	"embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
)

//go:embed build.sh package
var files embed.FS

// Options say what stand-in to build. The zero value is version 1.2.3 in the
// old layout, for this machine, as well-behaved as the real one.
type Options struct {
	Version string
	Layout  string // "old" (default) or "new"
	Arch    string // "amd64" or "arm64"; default: this machine's
	Habit   string // build.sh lists them; default "none"
	Folder  string // what it unpacks to; default "telescope_linux_<arch>"
	// Name of the archive; default "telescope_linux_<arch>.tar.gz".
	Name string
}

// TB is what Build needs of a *testing.T.
type TB interface {
	Helper()
	TempDir() string
	Fatal(args ...any)
}

// Build builds a stand-in for a test and returns the path of its archive.
func Build(tb TB, o Options) string {
	tb.Helper()
	path, err := BuildIn(tb.TempDir(), o)
	if err != nil {
		tb.Fatal(err)
	}
	return path
}

// BuildIn builds a stand-in into the folder dir and returns the path of its
// archive. It needs sh, tar, gzip and sed; a process builds each kind once.
func BuildIn(dir string, o Options) (string, error) {
	o.Version = cmp.Or(o.Version, "1.2.3")
	o.Arch = cmp.Or(o.Arch, runtime.GOARCH)
	out := filepath.Join(dir, cmp.Or(o.Name, "telescope_linux_"+o.Arch+".tar.gz"))
	o.Name = ""
	built, _ := archives.LoadOrStore(o, sync.OnceValues(func() ([]byte, error) { return build(o) }))
	archive, err := built.(func() ([]byte, error))()
	if err != nil {
		return "", err
	}
	return out, os.WriteFile(out, archive, 0o666)
}

// archives are those that this process has built, by their Options without a name.
var archives sync.Map

func build(o Options) ([]byte, error) {
	source, err := os.MkdirTemp("", "standin-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(source)
	if err := os.CopyFS(source, files); err != nil {
		return nil, err
	}
	out := filepath.Join(source, "out.tar.gz")
	args := []string{filepath.Join(source, "build.sh"), out, o.Version, "--arch", o.Arch}
	for _, option := range [][2]string{{"--layout", o.Layout}, {"--habit", o.Habit}, {"--folder", o.Folder}} {
		if option[1] != "" {
			args = append(args, option[0], option[1])
		}
	}
	if text, err := exec.Command("sh", args...).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the stand-in package: %w: %s", err, strings.TrimSpace(string(text)))
	}
	return os.ReadFile(out)
}
