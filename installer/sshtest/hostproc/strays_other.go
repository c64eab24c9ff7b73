//go:build !linux

package hostproc

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// Strays finds processes of a server by its mark in their environment, as far
// as ps shows that.
func Strays(mark, _ string) []int {
	out, _ := exec.Command("ps", "-axEww", "-o", "pid=,command=").Output()
	var pids []int
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if len(fields) == 0 || !strings.Contains(line, "SSHTEST_MARK="+mark) {
			continue
		}
		if pid, err := strconv.Atoi(fields[0]); err == nil && pid != os.Getpid() {
			pids = append(pids, pid)
		}
	}
	return pids
}
