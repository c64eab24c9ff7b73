// Command demo shows Tripod at work: it installs the stand-in agent on three hosts from
// a hosts file. The hosts are containers with a real sshd where a Docker engine answers,
// else in-process SSH servers that really execute, each in a throw-away root.
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"

	"golang.org/x/term"

	"tripod/testdata/agent"
)

const (
	folder = ".demo" // in the checkout; git ignores it
	binary = "bin/tripod"
	hosts  = 3
)

func main() {
	down := flag.Bool("down", false, "remove what an earlier demo left running")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	run := demo
	if *down {
		run = func(ctx context.Context) error { return removeAll(ctx) }
	}
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func demo(ctx context.Context) error {
	if err := removeAll(ctx); err != nil {
		return err
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	up, err := start(ctx)
	if err != nil {
		return err
	}
	defer up.close()
	hostsFile := filepath.Join(folder, "hosts.csv")
	if err := os.WriteFile(hostsFile, []byte(up.hostsFile()), 0o600); err != nil {
		return err
	}
	archive, err := agent.BuildIn(folder, agent.Options{Version: "2.5.1"})
	if err != nil {
		return err
	}

	args := []string{"install", "-f", hostsFile, "--package", archive, "--state-dir", filepath.Join(folder, "state")}
	say("The main job: the agent on %d hosts, from a hosts file.\n\n  %s %s\n", hosts, binary, strings.Join(args, " "))
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	failed := cmd.Run()
	if failed == nil {
		next(up, args)
	}
	return failed
}

// next says what to try, with commands that work as they stand.
func next(up field, args []string) {
	state := "--state-dir " + filepath.Join(folder, "state")
	say("What to try next:")
	say("  %s %s                       # the same again: healthy hosts are skipped", binary, strings.Join(args, " "))
	say("  %s status %s        # batches; then: status ID for the steps", binary, state)
	say("  %s logs %s %s   # what the script said", binary, state, up.first())
	say("  token=$(%s tokens add %s --project demo me)", binary, state)
	say("  %s serve %s --target-allow 127.0.0.0/8 --package %s &", binary, state, args[4])
	say("  curl -s -H \"X-Auth-Token: $token\" http://127.0.0.1:8440/v3/demo/agent-invocations")
	up.farewell()
}

func say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// removeAll removes the state and the containers of an earlier demo.
func removeAll(ctx context.Context) error {
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	return removeContainers(ctx)
}

// waitForEnter keeps in-process hosts up while somebody is there to try them.
func waitForEnter(what string) {
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		return
	}
	say("%s", what)
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
}
