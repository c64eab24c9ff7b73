// Package hostproc runs the commands of a test host as sshd does: in a session of their
// own, on pipes or a terminal, and finds what they have left behind.
package hostproc

import (
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/crypto/ssh"
)

// Process is a command that runs, with the server's ends of its streams.
type Process struct {
	Cmd    *exec.Cmd
	Stdin  *os.File
	Stdout *os.File
	Stderr *os.File // nil with a terminal
}

// Start starts cmd in a session of its own; terminal may be nil.
func Start(cmd *exec.Cmd, terminal *Terminal) (*Process, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	p := &Process{Cmd: cmd}
	if terminal != nil {
		return p, p.startTerminal(terminal)
	}
	return p, p.startPipes()
}

// startPipes uses pipes of our own: with exec's, Wait would wait for daemons
// that hold them open, which sshd does not.
func (p *Process) startPipes() error {
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
	theirs, ours, p.Cmd.Stdin, p.Stdin = append(theirs, r), append(ours, w), r, w
	if r, w, err = pipe(); err != nil {
		return err
	}
	theirs, ours, p.Stdout, p.Cmd.Stdout = append(theirs, w), append(ours, r), r, w
	if r, w, err = pipe(); err != nil {
		return err
	}
	theirs, ours, p.Stderr, p.Cmd.Stderr = append(theirs, w), append(ours, r), r, w
	if err := p.Cmd.Start(); err != nil {
		for _, f := range ours {
			_ = f.Close()
		}
		return err
	}
	return nil
}

// Close closes our ends of the streams.
func (p *Process) Close() {
	_ = p.Stdin.Close()
	_ = p.Stdout.Close()
	if p.Stderr != nil {
		_ = p.Stderr.Close()
	}
}

// Signal sends one by its SSH name to the command's process group.
func (p *Process) Signal(name string) {
	signals := map[string]syscall.Signal{
		"HUP": syscall.SIGHUP, "INT": syscall.SIGINT, "KILL": syscall.SIGKILL, "TERM": syscall.SIGTERM,
		"QUIT": syscall.SIGQUIT, "USR1": syscall.SIGUSR1, "USR2": syscall.SIGUSR2,
	}
	if sig, ok := signals[name]; ok {
		_ = syscall.Kill(-p.Cmd.Process.Pid, sig)
	}
}

var signalNames = map[syscall.Signal]ssh.Signal{
	syscall.SIGABRT: ssh.SIGABRT, syscall.SIGALRM: ssh.SIGALRM, syscall.SIGFPE: ssh.SIGFPE, syscall.SIGHUP: ssh.SIGHUP,
	syscall.SIGILL: ssh.SIGILL, syscall.SIGINT: ssh.SIGINT, syscall.SIGKILL: ssh.SIGKILL, syscall.SIGPIPE: ssh.SIGPIPE,
	syscall.SIGQUIT: ssh.SIGQUIT, syscall.SIGSEGV: ssh.SIGSEGV, syscall.SIGTERM: ssh.SIGTERM, syscall.SIGUSR1: ssh.SIGUSR1,
	syscall.SIGUSR2: ssh.SIGUSR2,
}

// Status reads what Wait returned: an exit code, or a signal's SSH name.
func Status(err error) (code int, signal string) {
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

// Below reports whether path is root or in it.
func Below(path, root string) bool { return path == root || strings.HasPrefix(path, root+"/") }
