package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"tripod/cmd/tripod/internal/session"
	"tripod/installer"
)

// TestMain makes the test binary a tripod too: scripts run `exec tripod …` as
// a process of its own, with real signals and exit codes.
func TestMain(m *testing.M) {
	testing.Init()
	// scriptTurns and containerTurns bound what runs at a time, and who waits for its
	// turn must not keep the others from theirs. -parallel still goes before this.
	_ = flag.Set("test.parallel", "64")
	if signal.Ignored(syscall.SIGHUP) { // under nohup; what tests start is to heed it
		signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	}
	testscript.Main(m, map[string]func(){
		"tripod":       patient,
		"tripod-usual": main,
		"hangs":        hangs,
	})
}

// patient is tripod with limits that no machine is too slow for, to which an agent is
// healthy as soon as it runs: the tests of scripts have it prove itself for longer.
func patient() {
	// A short command ends before it is worth it to collect its garbage.
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(64 << 20)
	const long = 3 * time.Minute
	os.Exit(run(context.Background(), os.Args[1:], session.Tuning{
		Limits: installer.Limits{
			Connect: long, Handshake: long, Auth: long, Channel: long, StartUp: long, Sudo: long, Probe: long, UploadStall: long,
			Verify: long, Clean: long, Reconnect: long, Keepalive: time.Minute,
		},
		AgentSettings: "TRIPOD_WAIT=180\nTRIPOD_STABLE=0\n",
	}))
}

// scriptTurns bounds how many scripts run at a time, and other tests that start processes.
var scriptTurns = make(chan struct{}, 6)

// scriptTurn waits for a turn, which ends when end is called.
func scriptTurn() (end func()) {
	scriptTurns <- struct{}{}
	return func() { <-scriptTurns }
}

// hangs is a program that waits for signals as tripod does and then never ends.
func hangs() {
	ctx, stop := untilSignal(context.Background())
	defer stop()
	fmt.Println("ready")
	<-ctx.Done()
	fmt.Println(context.Cause(ctx))
	select {}
}

// TestScript runs testdata/script: one file per behaviour of the command line.
// The hosts are real SSH servers within this process; see harness_test.go.
func TestScript(t *testing.T) {
	t.Parallel()
	testscript.Run(t, scriptParams())
}

func scriptParams() testscript.Params {
	return testscript.Params{
		Dir:                 filepath.Join("..", "..", "testdata", "script"),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		Setup:               setUpScript,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"agent":        cmdAgent,
			"sshhost":      cmdSSHHost,
			"sshfault":     cmdSSHFault,
			"sshcount":     cmdSSHCount,
			"waitcount":    cmdWaitCount,
			"files":        cmdFiles,
			"deadport":     cmdDeadPort,
			"keygen":       cmdKeygen,
			"certgen":      cmdCertgen,
			"waitfor":      cmdWaitFor,
			"start":        cmdStart,
			"signal":       cmdSignal,
			"finish":       cmdFinish,
			"ended":        cmdEnded,
			"exitcode":     cmdExitCode,
			"setenv":       cmdSetenv,
			"request":      cmdRequest,
			"waitresponse": cmdWaitResponse,
			"normalize":    cmdNormalize,
			"noleak":       cmdNoLeak,
			"validxml":     cmdValidXML,
		},
	}
}

// setUpScript gives each script a state folder of its own, and nothing of the
// developer's machine.
func setUpScript(env *testscript.Env) error {
	env.Defer(scriptTurn())
	for name, value := range map[string]string{
		"HOME":             filepath.Join(env.WorkDir, "home"),
		"XDG_STATE_HOME":   "",
		"TRIPOD_STATE_DIR": filepath.Join(env.WorkDir, "state"),
		"TZ":               "UTC",
		"GORACE":           goRace(),
		"STATE":            "state", // the state folder that the work leaves its traces in
	} {
		env.Setenv(name, value)
	}
	if err := os.Mkdir(filepath.Join(env.WorkDir, "home"), 0o700); err != nil {
		return err
	}
	repo, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		return err
	}
	env.Setenv("REPO", repo)
	env.Values[hostsKey{}] = hosts{}
	env.Values[programsKey{}] = &programs{env: env, running: map[string]*program{}}
	env.Defer(env.Values[programsKey{}].(*programs).killAll)
	return nil
}
