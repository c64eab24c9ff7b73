package sshtest

import (
	"io"
	"os/exec"
	"syscall"

	"tripod/installer/sshtest/hostproc"
)

// start runs the login shell with line ("": the shell itself) in a session of
// its own, as sshd does.
func (ss *session) start(line string) (*hostproc.Process, error) {
	u := ss.user
	shell := u.Shell
	if shell == "" {
		shell = "/bin/sh"
	}
	args := []string{"-c", line}
	switch {
	case u.Expired == ExpiredNoTTY:
		args = []string{"-c", "echo 'WARNING: Your password has expired.' >&2; echo 'Password change required but no TTY available.' >&2; exit 1"}
		shell = "/bin/sh"
	case line == "":
		args = nil
	}
	ss.srv.executed.Store(true)
	cmd := exec.Command(shell, args...)
	cmd.Dir = ss.srv.Home(u.Name)
	cmd.Env = append(ss.srv.environment(u), ss.env...)
	return hostproc.Start(cmd, ss.pty)
}

// follow moves the streams until the command has ended and its output too, or
// the connection has: then the command goes on alone, unless KillChildren.
func (ss *session) follow(p *hostproc.Process) {
	s := ss.srv
	stdout, stderr := output{ss, ss.ch}, output{ss, ss.ch.Stderr()}
	if noise := s.cfg.ShellNoise; noise != "" {
		_, _ = stdout.Write([]byte(noise))
	}
	ended, drained := make(chan error, 1), make(chan struct{})
	s.wg.Go(func() { ended <- p.Cmd.Wait() })
	s.wg.Go(func() {
		_, _ = io.Copy(&inputCounter{s, p.Stdin}, ss.ch)
		if ss.pty == nil { // closing a terminal would hang it up
			_ = p.Stdin.Close()
		}
	})
	errEnd := make(chan struct{})
	s.wg.Go(func() {
		defer close(errEnd)
		if p.Stderr != nil {
			_, _ = io.Copy(stderr, p.Stderr)
		}
	})
	s.wg.Go(func() {
		_, _ = io.Copy(stdout, p.Stdout)
		<-errEnd
		close(drained)
	})
	defer p.Close()
	select {
	case err := <-ended:
		code, signal := hostproc.Status(err)
		ss.exit(code, signal, drained)
	case <-ss.closed: // by the client, or with its connection
		if s.cfg.KillChildren {
			_ = syscall.Kill(-p.Cmd.Process.Pid, syscall.SIGKILL)
		}
	}
}

// inputCounter counts what commands are sent. It swallows what the command
// does not want, as sshd does.
type inputCounter struct {
	s *Server
	w io.Writer
}

func (c *inputCounter) Write(p []byte) (int, error) {
	c.s.counts.add(func(k *Counts) { k.ExecInput += int64(len(p)) })
	_, _ = c.w.Write(p)
	return len(p), nil
}
