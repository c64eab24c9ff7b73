package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

type programsKey struct{}

// programs are a script's programs in the background. Other than testscript's
// own `exec … &` their output can be read while they run, they can be sent any
// signal, and their exit code can be checked.
type programs struct {
	env     *testscript.Env
	running map[string]*program
}

type program struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when err is set
	err  error
}

func programsOf(ts *testscript.TestScript) *programs { return ts.Value(programsKey{}).(*programs) }

func (ps *programs) killAll() {
	for _, p := range ps.running {
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

func (ps *programs) get(ts *testscript.TestScript, name string) *program {
	p := ps.running[name]
	if p == nil {
		ts.Fatalf("no program %q", name)
	}
	return p
}

// cmdStart starts a program: start NAME PROGRAM ARGS… Its output goes to the
// files NAME.out and NAME.err.
func cmdStart(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: start NAME PROGRAM ARGS…")
	}
	name := args[0]
	path := ""
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
		if info, err := os.Stat(filepath.Join(dir, args[1])); err == nil && info.Mode()&0o111 != 0 {
			path = filepath.Join(dir, args[1])
			break
		}
	}
	cmd := exec.Command(path, args[2:]...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = programsOf(ts).env.Vars
	stdout, err := os.Create(ts.MkAbs(name + ".out"))
	ts.Check(err)
	defer stdout.Close()
	stderr, err := os.Create(ts.MkAbs(name + ".err"))
	ts.Check(err)
	defer stderr.Close()
	cmd.Stdout, cmd.Stderr = stdout, stderr
	ts.Check(cmd.Start())
	p := &program{cmd: cmd, done: make(chan struct{})}
	programsOf(ts).running[name] = p
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
}

// cmdSignal sends a signal: signal NAME INT|TERM|HUP|KILL.
func cmdSignal(ts *testscript.TestScript, neg bool, args []string) {
	signals := map[string]syscall.Signal{"INT": syscall.SIGINT, "TERM": syscall.SIGTERM, "HUP": syscall.SIGHUP, "KILL": syscall.SIGKILL}
	if neg || len(args) != 2 || signals[args[1]] == 0 {
		ts.Fatalf("usage: signal NAME INT|TERM|HUP|KILL")
	}
	ts.Check(programsOf(ts).get(ts, args[0]).cmd.Process.Signal(signals[args[1]]))
}

// cmdFinish waits for a program's end and checks its exit code: finish NAME
// CODE, or the name of a signal in CODE's place.
func cmdFinish(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: finish NAME CODE")
	}
	p := programsOf(ts).get(ts, args[0])
	select {
	case <-p.done:
	case <-time.After(patience):
		ts.Fatalf("%s does not end\n%s", args[0], outputOf(ts, args[0]))
	}
	got := "0"
	if exit, ok := errors.AsType[*exec.ExitError](p.err); ok {
		got = fmt.Sprint(exit.ExitCode())
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			got = status.Signal().String()
		}
	} else if p.err != nil {
		ts.Fatalf("%s: %v", args[0], p.err)
	}
	delete(programsOf(ts).running, args[0])
	if got != args[1] {
		ts.Fatalf("%s ended with %s, want %s\n%s", args[0], got, args[1], outputOf(ts, args[0]))
	}
}

// cmdEnded checks that a process has ended, though nobody may have waited for it
// yet: ended PID.
func cmdEnded(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: ended PID")
	}
	state, err := exec.Command("ps", "-o", "stat=", "-p", args[0]).Output()
	if _, none := errors.AsType[*exec.ExitError](err); !none {
		ts.Check(err)
	}
	runs := len(state) > 0 && state[0] != 'Z'
	if runs != neg {
		ts.Fatalf("process %s: %q", args[0], state)
	}
}

func outputOf(ts *testscript.TestScript, name string) string {
	var b strings.Builder
	for _, suffix := range []string{".out", ".err"} {
		fmt.Fprintf(&b, "[%s%s]\n%s", name, suffix, ts.ReadFile(name+suffix))
	}
	return b.String()
}

// cmdExitCode runs a command and checks its exit code: exitcode N PROGRAM ARGS…
func cmdExitCode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exitcode N PROGRAM ARGS…")
	}
	got := 0
	err := ts.Exec(args[1], args[2:]...)
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if fmt.Sprint(got) != args[0] {
		ts.Fatalf("exit code %d, want %s", got, args[0])
	}
}
