package sdk

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

var (
	// buildFlags of the tripod that is tested.
	buildFlags []string
	// program is its path.
	program string
)

func TestMain(m *testing.M) {
	// They wait more than they compute. -parallel still goes before this.
	_ = flag.Set("test.parallel", "4")
	os.Exit(run(m))
}

// run builds the program in the module above, with that module's own dependencies, and
// then runs the tests. It is that of cmd/tripod's tests, which under the name of tripod
// does the same with limits that no machine is too slow for.
func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "tripod-sdk-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "tripod")
	build := exec.Command("go", append(append([]string{"test", "-c"}, buildFlags...), "-o", program, "./cmd/tripod")...)
	build.Dir = filepath.Join("..", "..")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "build tripod:", err)
		return 1
	}
	return m.Run()
}
