package main

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

//go:embed asyncssh_peer.py
var asyncsshPeer string

// The peers that others are compared with.
const (
	bare     = "bare x/crypto"
	tripod   = "tripod"
	asyncssh = "asyncssh"
	gossh    = "gossh"
)

// peer is one tool: one or more commands that together do the work.
type peer struct {
	name     string
	needs    []string // programs; the first that is missing leaves the peer out
	python   string   // a module that /usr/bin/python3 must have
	commands func(w work) [][]string
}

// work is what a peer is given: no other work has the same name or content.
type work struct {
	name      string
	hosts     []string
	hostsFile string // an address per line
	port      string
	parallel  int
	command   string // what the script does, for the peer that sends none
	script    string // path
	send      string // path of a large file, or empty
}

// sample is one run of one peer.
type sample struct {
	cpu, wall time.Duration // all its processes together
	peak      int64         // bytes, of the process that was started
}

func (f *field) peers() []peer {
	self, _ := os.Executable()
	return []peer{
		{name: bare, commands: func(w work) [][]string {
			argv := []string{self, "-bare", f.key, "-bare-hosts", w.hostsFile, "-bare-port", w.port, "-parallel", strconv.Itoa(w.parallel)}
			if w.send != "" {
				return [][]string{append(argv, "-bare-send", w.send)}
			}
			return [][]string{append(argv, "-bare-command", w.command)}
		}},
		{name: tripod, needs: []string{f.tripod}, commands: func(w work) [][]string {
			argv := []string{f.tripod, "install", "-f", w.hostsFile, "--script", w.script, "--user", "root", "--port", w.port,
				"--identity", f.key, "--parallel", strconv.Itoa(w.parallel), "--state-dir", f.path("state-" + w.name), "--output", "json"}
			if w.send != "" {
				argv = append(argv, "--send", w.send)
			}
			return [][]string{argv}
		}},
		{name: asyncssh, needs: []string{"/usr/bin/python3"}, python: "asyncssh", commands: func(w work) [][]string {
			path, _ := f.write("asyncssh_peer.py", asyncsshPeer)
			return [][]string{{"/usr/bin/python3", path, w.hostsFile, w.port, f.key, w.script, strconv.Itoa(w.parallel)}}
		}},
		{name: gossh, needs: []string{f.gossh}, commands: func(w work) [][]string {
			var inventory strings.Builder
			for _, h := range w.hosts {
				fmt.Fprintf(&inventory, "%s host=%s port=%s user=%s\n", h, h, w.port, userOf(h))
			}
			path, _ := f.write("gossh-"+w.name, inventory.String())
			return [][]string{{f.gossh, "script", "-i", path, "-I", f.key, "-e", w.script, "-d", gosshFolder, "-F", "-n",
				"-c", strconv.Itoa(w.parallel), "--config", "/dev/null", "--output.json"}}
		}},
		{name: "pscp + pssh", needs: []string{"parallel-scp", "parallel-ssh", "ssh"}, commands: func(w work) [][]string {
			parallel, ssh := strconv.Itoa(w.parallel), f.sshOptions(w)
			return [][]string{
				{"parallel-scp", "-h", w.hostsFile, "-p", parallel, "-x", ssh, w.script, "pssh.sh"},
				{"parallel-ssh", "-h", w.hostsFile, "-p", parallel, "-x", ssh, "sh ./pssh.sh"},
			}
		}},
		{name: "clush", needs: []string{"clush", "ssh"}, commands: func(w work) [][]string {
			parallel, ssh := strconv.Itoa(w.parallel), f.sshOptions(w)
			return [][]string{
				{"clush", "-f", parallel, "-o", ssh, "--hostfile", w.hostsFile, "--copy", w.script, "--dest", "clush.sh"},
				{"clush", "-f", parallel, "-o", ssh, "--hostfile", w.hostsFile, "sh ./clush.sh"},
			}
		}},
		{name: "ansible", needs: []string{"ansible", "ssh"}, commands: func(w work) [][]string {
			return [][]string{{"ansible", "all", "-i", strings.Join(w.hosts, ",") + ",", "-f", strconv.Itoa(w.parallel),
				"--ssh-common-args", f.sshOptions(w), "-e", "ansible_python_interpreter=/usr/bin/python3", "-m", "script", "-a", w.script}}
		}},
	}
}

func (f *field) sshOptions(w work) string { return "-F " + f.sshConfig + " -o Port=" + w.port }

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

// newWork makes the files of a run of tool on the first n hosts. The script
// notes its own name where it ends, so that only a whole new one counts.
func (f *field) newWork(tool string, n int, port string) (work, error) {
	f.works++
	name := fmt.Sprintf("%s-%d", strings.Fields(tool)[0], f.works)
	w := work{name: name, hosts: f.hosts[:n], port: port, parallel: f.parallel, command: "echo " + name + " >>" + sharedFolder + "/runs"}
	return w, f.fill(&w)
}

func (f *field) fill(w *work) (err error) {
	head, tail := "#!/bin/sh\n# "+w.name+"\n", w.command+"\necho done\nexit 0\n"
	padding := strings.Repeat("#"+strings.Repeat("x", 78)+"\n", f.size/80+1)[:max(1, f.size-len(head)-len(tail))-1] + "\n"
	if w.script, err = f.write(w.name+".sh", head+padding+tail); err != nil {
		return err
	}
	w.hostsFile, err = f.write("hosts-"+w.name, strings.Join(w.hosts, "\n")+"\n")
	return err
}

// measure runs the peer once and holds it to having run this script on every
// host. during, if not nil, is called while it works.
func (p peer) measure(ctx context.Context, f *field, w work, during func(context.Context) error) (sample, error) {
	var total sample
	for _, argv := range p.commands(w) {
		s, err := measureCommand(ctx, f.limit, argv, during)
		if err != nil {
			return sample{}, fmt.Errorf("%s: %w", p.name, err)
		}
		total.cpu += s.cpu
		total.wall += s.wall
		total.peak = max(total.peak, s.peak)
	}
	_ = os.RemoveAll(f.path("state-" + w.name))
	if ran := f.ran(w); ran != len(w.hosts) && (w.send == "" || p.name != bare) {
		return total, fmt.Errorf("%s: the script ran %d times on %d hosts", p.name, ran, len(w.hosts))
	}
	return total, nil
}

func measureCommand(ctx context.Context, limit time.Duration, argv []string, during func(context.Context) error) (sample, error) {
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
	if err := cmd.Start(); err != nil {
		return sample{}, err
	}
	ended, peak := make(chan struct{}), make(chan int64)
	go func() { peak <- watchPeak(cmd.Process.Pid, ended) }()
	var failed error
	if during != nil {
		if failed = during(ctx); failed != nil {
			cancel()
		}
	}
	err = cmd.Wait()
	took := time.Since(start)
	close(ended)
	most := <-peak
	if err != nil || failed != nil {
		text, _ := os.ReadFile(out.Name())
		return sample{}, fmt.Errorf("%s: %w %v: %s", filepath.Base(argv[0]), err, failed, text[max(0, len(text)-500):])
	}
	return sample{cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), wall: took, peak: most}, nil
}

// watchPeak looks until ended is closed. The usage that wait4 returns is no
// substitute: a child's begins with the memory of the program that started it.
func watchPeak(pid int, ended <-chan struct{}) (bytes int64) {
	for {
		status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		for line := range strings.Lines(string(status)) {
			if text, ok := strings.CutPrefix(line, "VmHWM:"); ok {
				_, _ = fmt.Sscan(text, &bytes)
			}
		}
		select {
		case <-ended:
			return bytes << 10 // in KiB
		case <-time.After(50 * time.Millisecond):
		}
	}
}
