// Package agent builds the stand-in for the telescope package, for tests and
// the demo: the real one's layout, processes, version behaviour and bad habits,
// without its binaries and without any network.
package agent

import (
	"embed"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
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
// archive. It needs sh, tar, gzip and sed.
func BuildIn(dir string, o Options) (string, error) {
	if o.Version == "" {
		o.Version = "1.2.3"
	}
	if o.Arch == "" {
		o.Arch = runtime.GOARCH
	}
	if o.Name == "" {
		o.Name = "telescope_linux_" + o.Arch + ".tar.gz"
	}
	source, err := os.MkdirTemp("", "standin-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(source)
	if err := copyOut(source); err != nil {
		return "", err
	}
	out := filepath.Join(dir, o.Name)
	args := []string{filepath.Join(source, "build.sh"), out, o.Version, "--arch", o.Arch}
	for _, option := range [][2]string{{"--layout", o.Layout}, {"--habit", o.Habit}, {"--folder", o.Folder}} {
		if option[1] != "" {
			args = append(args, option[0], option[1])
		}
	}
	if text, err := exec.Command("sh", args...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the stand-in package: %w: %s", err, strings.TrimSpace(string(text)))
	}
	return out, nil
}

// copyOut writes the embedded files into dir.
func copyOut(dir string) error {
	return fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		to := filepath.Join(dir, filepath.FromSlash(path))
		if d.IsDir() {
			return os.MkdirAll(to, 0o700)
		}
		text, err := files.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(to, text, 0o600)
	})
}
