package hostproc

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Strays finds processes of a server by its mark in their environment, or,
// where they have wiped that, by a working folder or program below root.
func Strays(mark, root string) []int {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	var pids []int
	for _, dir := range dirs {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil || pid == os.Getpid() || zombie(dir) {
			continue
		}
		env, _ := os.ReadFile(dir + "/environ")
		cwd, _ := os.Readlink(dir + "/cwd")
		exe, _ := os.Readlink(dir + "/exe")
		if bytes.Contains(env, []byte("SSHTEST_MARK="+mark+"\x00")) || Below(cwd, root) || Below(exe, root) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// zombie: dead, and its parent has not asked yet.
func zombie(dir string) bool {
	stat, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return true
	}
	_, after, ok := strings.Cut(string(stat[bytes.LastIndexByte(stat, ')')+1:]), " ")
	return !ok || strings.HasPrefix(after, "Z") || strings.HasPrefix(after, "X")
}
