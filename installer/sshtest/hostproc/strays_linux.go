package hostproc

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
)

// Strays finds processes of a server by its mark in their environment, or,
// where they have wiped that, by a working folder or program below root.
func Strays(mark, root string) []int {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	var pids []int
	for _, dir := range dirs {
		exe, err := os.Readlink(dir + "/exe")
		if err != nil {
			continue // a thread of the kernel, or dead
		}
		pid, _ := strconv.Atoi(filepath.Base(dir))
		cwd, _ := os.Readlink(dir + "/cwd")
		env, _ := os.ReadFile(dir + "/environ")
		if pid != os.Getpid() && (Below(cwd, root) || Below(exe, root) || bytes.Contains(env, []byte("SSHTEST_MARK="+mark+"\x00"))) {
			pids = append(pids, pid)
		}
	}
	return pids
}
