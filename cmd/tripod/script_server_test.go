package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// onServer are scripts of testdata/script that hold word for word with a daemon in the
// place of the state folder: same output, same exit codes. All commands go one way, to
// whoever has the folder; each is here for what a daemon does in its own way, which is
// said beside it. server_every_command.txtar has every subcommand once, server_*.txtar
// are about the daemon alone.
var onServer = map[string]string{
	"check":     "a look is one of the daemon's batches",
	"install":   "the daemon works by itself, and is only followed",
	"configure": "the daemon keeps and sends the agent's keys",
	"uninstall": "the daemon's inventory says what is there afterwards",
	"packages":  "only the operator's project changes the package store; a package that is in use is kept",
}

// TestScriptServer runs them with TRIPOD_SERVER.
func TestScriptServer(t *testing.T) {
	t.Parallel()
	p := scriptParams()
	p.Dir = ""
	for name := range onServer {
		p.Files = append(p.Files, filepath.Join("..", "..", "testdata", "script", name+".txtar"))
	}
	p.Setup = func(env *testscript.Env) error {
		if err := setUpScript(env); err != nil {
			return err
		}
		return startServer(env)
	}
	testscript.Run(t, p)
}

// startServer starts a daemon with a state folder of its own and makes every
// tripod of the script work on it.
func startServer(env *testscript.Env) error {
	dir := env.WorkDir
	run := func(args ...string) *exec.Cmd {
		cmd := exec.Command("tripod", args...)
		cmd.Dir = dir
		cmd.Env = append(childEnv(), "HOME="+filepath.Join(dir, "home"), "TRIPOD_STATE_DIR="+filepath.Join(dir, "daemon"))
		return cmd
	}
	token, err := run("tokens", "add", "--project", "p-server", "script").Output()
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "token"), token, 0o600); err != nil {
		return err
	}
	daemon := run("serve", "--listen", "127.0.0.1:0", "--target-allow", "127.0.0.0/8", "--operator-project", "p-server")
	log, err := os.Create(filepath.Join(dir, "daemon.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	daemon.Stderr = log
	if err := daemon.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		_ = daemon.Wait()
		close(ended)
	}()
	env.Defer(func() {
		_ = daemon.Process.Signal(syscall.SIGTERM)
		<-ended
	})
	url, err := listeningAt(log.Name())
	env.Setenv("TRIPOD_SERVER", url)
	env.Setenv("TRIPOD_TOKEN_FILE", filepath.Join(dir, "token"))
	env.Setenv("STATE", "daemon")
	return err
}

func listeningAt(log string) (string, error) {
	listening := regexp.MustCompile(`listening on (\S+)`)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for ctx.Err() == nil {
		raw, err := os.ReadFile(log)
		if err != nil {
			return "", err
		}
		if found := listening.FindStringSubmatch(string(raw)); found != nil {
			return found[1], nil
		}
		time.Sleep(10 * time.Millisecond)
	}
	return "", errors.New("the daemon does not listen")
}
