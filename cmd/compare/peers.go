package main

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

//go:embed asyncssh_peer.py
var asyncsshPeer string

// peer is one tool: one or more commands that together do the work.
type peer struct {
	name     string
	needs    []string // programs; the first that is missing leaves the peer out
	python   string   // a module that /usr/bin/python3 must have
	commands func(run int) [][]string
}

// sample is one run of one peer, all its processes together.
type sample struct {
	cpu, wall time.Duration
	peak      int64 // bytes, of the largest single process
}

func peers(f *field) []peer {
	parallel := strconv.Itoa(f.parallel)
	self, _ := os.Executable()
	inventory := strings.Join(f.hosts, ",") + ","
	return []peer{
		{name: "bare x/crypto", commands: func(int) [][]string {
			return [][]string{{self, "-bare", f.dir, "-parallel", parallel}}
		}},
		{name: "tripod", needs: []string{f.tripod}, commands: func(run int) [][]string {
			return [][]string{f.tripodCommand(f.script, f.hostsFile, f.parallel, fmt.Sprint("state-", run))}
		}},
		{name: "asyncssh", needs: []string{"/usr/bin/python3"}, python: "asyncssh", commands: func(int) [][]string {
			path, _ := f.write("asyncssh_peer.py", asyncsshPeer)
			return [][]string{{"/usr/bin/python3", path, f.hostsFile, fieldPort, f.key, f.script, parallel}}
		}},
		{name: "pscp + pssh", needs: []string{"parallel-scp", "parallel-ssh", "ssh"}, commands: func(int) [][]string {
			return [][]string{
				{"parallel-scp", "-h", f.hostsFile, "-p", parallel, "-x", "-F " + f.sshConfig, f.script, "/root/pssh.sh"},
				{"parallel-ssh", "-h", f.hostsFile, "-p", parallel, "-x", "-F " + f.sshConfig, "sh /root/pssh.sh"},
			}
		}},
		{name: "clush", needs: []string{"clush", "ssh"}, commands: func(int) [][]string {
			return [][]string{
				{"clush", "-f", parallel, "-o", "-F " + f.sshConfig, "--hostfile", f.hostsFile, "--copy", f.script, "--dest", "/root/clush.sh"},
				{"clush", "-f", parallel, "-o", "-F " + f.sshConfig, "--hostfile", f.hostsFile, "sh /root/clush.sh"},
			}
		}},
		{name: "ansible", needs: []string{"ansible", "ssh"}, commands: func(int) [][]string {
			return [][]string{{"ansible", "all", "-i", inventory, "-f", parallel, "--ssh-common-args", "-F " + f.sshConfig,
				"-e", "ansible_python_interpreter=/usr/bin/python3", "-m", "script", "-a", f.script}}
		}},
	}
}

func (f *field) tripodCommand(script, hosts string, parallel int, state string) []string {
	return []string{f.tripod, "install", "-f", hosts, "--script", script, "--user", "root", "--port", fieldPort,
		"--identity", f.key, "--parallel", strconv.Itoa(parallel), "--state-dir", f.path(state), "--output", "json"}
}

func (p peer) available() error {
	for _, program := range p.needs {
		if _, err := exec.LookPath(program); err != nil {
			return err
		}
	}
	if p.python != "" {
		if err := exec.Command("/usr/bin/python3", "-c", "import "+p.python).Run(); err != nil {
			return fmt.Errorf("python module %s is not installed", p.python)
		}
	}
	return nil
}

// measure runs the peer once and holds it to having run the script on every host.
func (p peer) measure(ctx context.Context, f *field, run int) (sample, error) {
	if _, err := f.takeRuns(ctx); err != nil {
		return sample{}, err
	}
	var total sample
	for _, argv := range p.commands(run) {
		s, err := measureCommand(ctx, f.limit, argv)
		if err != nil {
			return sample{}, err
		}
		total.cpu += s.cpu
		total.wall += s.wall
		total.peak = max(total.peak, s.peak)
	}
	ran, err := f.takeRuns(ctx)
	if err == nil && ran != len(f.hosts) {
		err = fmt.Errorf("the script ran %d times on %d hosts", ran, len(f.hosts))
	}
	return total, err
}

func measureCommand(ctx context.Context, limit time.Duration, argv []string) (sample, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), "ANSIBLE_HOST_KEY_CHECKING=False", "ANSIBLE_NOCOLOR=1", "LC_ALL=C.UTF-8")
	out, err := os.CreateTemp("", "tripod-compare-out-")
	if err != nil {
		return sample{}, err
	}
	defer os.Remove(out.Name())
	defer out.Close()
	cmd.Stdout, cmd.Stderr = out, out
	start := time.Now()
	if err := cmd.Run(); err != nil {
		text, _ := os.ReadFile(out.Name())
		return sample{}, fmt.Errorf("%s: %w: %s", argv[0], err, text[max(0, len(text)-500):])
	}
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	return sample{
		cpu:  cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(),
		wall: time.Since(start),
		peak: usage.Maxrss << 10, // Linux counts in KiB
	}, nil
}
