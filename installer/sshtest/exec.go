package sshtest

import (
	"errors"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"

	"golang.org/x/crypto/ssh"
)

// process is a command that runs, with the server's ends of its streams.
type process struct {
	cmd    *exec.Cmd
	stdin  *os.File
	stdout *os.File
	stderr *os.File // nil with a terminal
}

// start runs the login shell with line ("": the shell itself) in a session of
// its own, as sshd does.
func (ss *session) start(line string) (*process, error) {
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
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	p := &process{cmd: cmd}
	var err error
	if ss.pty != nil {
		err = p.startPTY(ss.pty)
	} else {
		err = p.startPipes()
	}
	return p, err
}

// startPipes uses pipes of our own: with exec's, Wait would wait for daemons
// that hold them open, which sshd does not.
func (p *process) startPipes() error {
	var theirs, ours []*os.File
	defer func() {
		for _, f := range theirs {
			_ = f.Close()
		}
	}()
	pipe := func() (r, w *os.File, err error) {
		if r, w, err = os.Pipe(); err != nil {
			for _, f := range ours {
				_ = f.Close()
			}
		}
		return r, w, err
	}
	r, w, err := pipe()
	if err != nil {
		return err
	}
	theirs, ours, p.cmd.Stdin, p.stdin = append(theirs, r), append(ours, w), r, w
	if r, w, err = pipe(); err != nil {
		return err
	}
	theirs, ours, p.stdout, p.cmd.Stdout = append(theirs, w), append(ours, r), r, w
	if r, w, err = pipe(); err != nil {
		return err
	}
	theirs, ours, p.stderr, p.cmd.Stderr = append(theirs, w), append(ours, r), r, w
	if err := p.cmd.Start(); err != nil {
		for _, f := range ours {
			_ = f.Close()
		}
		return err
	}
	return nil
}

func (p *process) closeAll() {
	_ = p.stdin.Close()
	_ = p.stdout.Close()
	if p.stderr != nil {
		_ = p.stderr.Close()
	}
}

// signal sends one by its SSH name to the command's process group.
func (p *process) signal(name string) {
	signals := map[string]syscall.Signal{
		"HUP": syscall.SIGHUP, "INT": syscall.SIGINT, "KILL": syscall.SIGKILL, "TERM": syscall.SIGTERM,
		"QUIT": syscall.SIGQUIT, "USR1": syscall.SIGUSR1, "USR2": syscall.SIGUSR2,
	}
	if sig, ok := signals[name]; ok {
		_ = syscall.Kill(-p.cmd.Process.Pid, sig)
	}
}

// follow moves the streams until the command has ended and its output too, or
// the connection has: then the command goes on alone, unless KillChildren.
func (ss *session) follow(p *process) {
	s := ss.srv
	stdout, stderr := output{ss, ss.ch}, output{ss, ss.ch.Stderr()}
	if noise := s.cfg.ShellNoise; noise != "" {
		_, _ = stdout.Write([]byte(noise))
	}
	ended, drained := make(chan error, 1), make(chan struct{})
	s.wg.Go(func() { ended <- p.cmd.Wait() })
	s.wg.Go(func() {
		_, _ = io.Copy(&inputCounter{s, p.stdin}, ss.ch)
		if ss.pty == nil { // closing a terminal would hang it up
			_ = p.stdin.Close()
		}
	})
	errEnd := make(chan struct{})
	s.wg.Go(func() {
		defer close(errEnd)
		if p.stderr != nil {
			_, _ = io.Copy(stderr, p.stderr)
		}
	})
	s.wg.Go(func() {
		_, _ = io.Copy(stdout, p.stdout)
		<-errEnd
		close(drained)
	})
	defer p.closeAll()
	select {
	case err := <-ended:
		code, signal := status(err)
		ss.exit(code, signal, drained)
	case <-ss.closed: // by the client, or with its connection
		if s.cfg.KillChildren {
			_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
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

var signalNames = map[syscall.Signal]ssh.Signal{
	syscall.SIGABRT: ssh.SIGABRT, syscall.SIGALRM: ssh.SIGALRM, syscall.SIGFPE: ssh.SIGFPE, syscall.SIGHUP: ssh.SIGHUP,
	syscall.SIGILL: ssh.SIGILL, syscall.SIGINT: ssh.SIGINT, syscall.SIGKILL: ssh.SIGKILL, syscall.SIGPIPE: ssh.SIGPIPE,
	syscall.SIGQUIT: ssh.SIGQUIT, syscall.SIGSEGV: ssh.SIGSEGV, syscall.SIGTERM: ssh.SIGTERM, syscall.SIGUSR1: ssh.SIGUSR1,
	syscall.SIGUSR2: ssh.SIGUSR2,
}

// status reads what Wait returned: an exit code, or a signal's SSH name.
func status(err error) (code int, signal string) {
	if err == nil {
		return 0, ""
	}
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		return 255, ""
	}
	ws, ok := exit.Sys().(syscall.WaitStatus)
	if ok && ws.Signaled() {
		if name, ok := signalNames[ws.Signal()]; ok {
			return 0, string(name)
		}
		return 0, "SIG" + strconv.Itoa(int(ws.Signal())) + "@openssh.com"
	}
	return exit.ExitCode(), ""
}
