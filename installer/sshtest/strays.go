package sshtest

import (
	"syscall"
	"time"

	"tripod/installer/sshtest/hostproc"
)

// KillProcesses kills everything that commands have started and that still
// runs, detached daemons too, and returns when it is gone. Close does it; call
// it for a host that is switched off.
func (s *Server) KillProcesses() {
	for late := time.Now().Add(time.Minute); s.executed.Load() && time.Now().Before(late); {
		pids := hostproc.Strays(s.mark, s.root)
		if len(pids) == 0 {
			return
		}
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		time.Sleep(5 * time.Millisecond) // until the kernel has done it
	}
}

// Processes returns the process ids of what commands have started and what
// still runs.
func (s *Server) Processes() []int { return hostproc.Strays(s.mark, s.root) }
