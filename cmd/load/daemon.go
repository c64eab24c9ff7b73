package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"tripod/installer"
	"tripod/installer/api"
	"tripod/installer/apitest"
)

// project is the one that all is done in.
const project = "load"

// daemon is `tripod serve` over a state folder of its own.
type daemon struct {
	cmd    *exec.Cmd
	client *apitest.Client
	ended  chan error
}

// cost is what a daemon has used in its whole life.
type cost struct {
	cpu  time.Duration
	peak int64 // resident memory, bytes; the mapped database counts
	own  int64 // resident at the end without what is mapped from files, bytes; 0: not known
}

var listeningOn = regexp.MustCompile(`listening on (\S+)`)

// startDaemon makes a token and serves. The daemon must be stopped.
func startDaemon(ctx context.Context, c config, state string) (*daemon, error) {
	env := append(os.Environ(), "TRIPOD_STATE_DIR="+state)
	add := exec.CommandContext(ctx, c.tripod, "tokens", "add", "--project", project, "load")
	add.Env = env
	token, err := add.Output()
	if err != nil {
		return nil, fmt.Errorf("make a token: %w", err)
	}
	script := filepath.Join(filepath.Dir(state), "script.sh")
	if err := os.WriteFile(script, []byte("exit 0\n"), 0o600); err != nil {
		return nil, err
	}
	d := &daemon{ended: make(chan error, 1)}
	d.cmd = exec.Command(c.tripod, "serve", "--listen", "127.0.0.1:0", "--target-allow", "127.0.0.0/8",
		"--parallel", fmt.Sprint(c.parallel), "--script", script)
	d.cmd.Env = env
	stderr, err := d.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := d.cmd.Start(); err != nil {
		return nil, err
	}
	url := make(chan string, 1)
	go func() {
		d.ended <- errors.Join(follow(stderr, url), d.cmd.Wait())
	}()
	select {
	case at := <-url:
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.MaxIdleConnsPerHost = c.clients
		d.client = &apitest.Client{Client: api.Client{
			BaseURL: at, Project: project, Token: installer.NewSecret(strings.TrimSpace(string(token))),
			HTTP: &http.Client{Transport: transport},
		}}
		return d, nil
	case err := <-d.ended:
		return nil, fmt.Errorf("the daemon ended: %w", err)
	case <-time.After(30 * time.Second):
		_ = d.cmd.Process.Kill()
		return nil, errors.New("the daemon does not listen")
	}
}

// follow reads what the daemon says, finds its address, and passes on what is
// worse than a line per request.
func follow(stderr io.Reader, url chan<- string) error {
	lines := bufio.NewScanner(stderr)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if found := listeningOn.FindStringSubmatch(lines.Text()); found != nil {
			url <- found[1]
		}
		if strings.Contains(lines.Text(), "level=ERROR") {
			fmt.Fprintln(os.Stderr, lines.Text())
		}
	}
	return lines.Err()
}

// stop ends the daemon cleanly and returns what it has used.
func (d *daemon) stop() (cost, error) {
	own := ownMemory(d.cmd.Process.Pid)
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return cost{}, err
	}
	if err := <-d.ended; err != nil {
		return cost{}, fmt.Errorf("the daemon ended: %w", err)
	}
	usage := d.cmd.ProcessState.SysUsage().(*syscall.Rusage)
	return cost{
		cpu:  d.cmd.ProcessState.UserTime() + d.cmd.ProcessState.SystemTime(),
		peak: usage.Maxrss << 10, // Linux counts in KiB
		own:  own,
	}, nil
}

// ownMemory is the process's anonymous resident memory: heap and stacks.
func ownMemory(pid int) (bytes int64) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if text, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			_, _ = fmt.Sscan(text, &bytes)
		}
	}
	return bytes << 10
}
