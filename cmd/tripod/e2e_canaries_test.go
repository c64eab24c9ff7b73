package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer/sshtest/container"
)

// canaries are secrets that must be nowhere, by name, each in the forms in
// which it could hide.
type canaries map[string][]string

func (cs canaries) add(name, value string) string {
	before := ""
	for line := range strings.Lines(value) {
		heading := strings.HasPrefix(before, "-----") // all keys of a sort begin alike
		before = line
		if line = strings.TrimSpace(line); len(line) < 12 || strings.HasPrefix(line, "-----") || heading {
			continue
		}
		raw := []byte(line)
		// Base64 of a part of a longer text looks different at each of three
		// shifts; what is inside of the first and last characters does not.
		for shift := range 3 {
			text := base64.StdEncoding.EncodeToString(append(make([]byte, shift), raw...))
			cs[name] = append(cs[name], strings.TrimRight(text, "=")[4:len(text)-4])
		}
		quoted, _ := json.Marshal(line)
		cs[name] = append(cs[name], strings.Trim(string(quoted), `"`), line, hex.EncodeToString(raw), strings.ToUpper(hex.EncodeToString(raw)),
			url.QueryEscape(line), url.PathEscape(line))
	}
	return value
}

// in returns which canary is in text, and "" if none is.
func (cs canaries) in(text []byte) string {
	for name, forms := range cs {
		for _, form := range forms {
			if bytes.Contains(text, []byte(form)) {
				return fmt.Sprintf("%s (as %.6s…)", name, form)
			}
		}
	}
	return ""
}

// awkward is a random password that looks different in every form.
func awkward() string { return "p/+ &=%" + rand.Text() }

// inFolder looks into every file below dir, except those named.
func (cs canaries) inFolder(t *testing.T, dir string, except ...string) {
	t.Helper()
	files := 0
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		for _, name := range except {
			if path == name {
				return nil
			}
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		raw, err := os.ReadFile(path)
		files++
		assert.Empty(t, cs.in(raw), "a secret in %s", path)
		return err
	}))
	require.NotZero(t, files, "nothing was looked at")
}

// onHost looks at the disk of a host. What the agent has of them it needs, and root alone can read it: that
// is returned.
func (cs canaries) onHost(t *testing.T, c *container.Host) (paths []string) {
	t.Helper()
	var patterns []string
	for _, forms := range cs {
		patterns = append(patterns, forms...)
	}
	out, err := c.ExecInput(t.Context(), strings.Join(patterns, "\n"), "sh", "-c",
		"grep -rlaF -f - /etc /home /opt /root /run /tmp /usr/local /var /dev/shm 2>/dev/null || true")
	require.NoError(t, err)
	for path := range strings.Lines(out) {
		path = strings.TrimSpace(path)
		assert.Contains(t, []string{
			"/usr/local/telescope/bin/conf.json", "/var/lib/tripod/kept/telescope/tree/telescope/bin/conf.json",
		}, path, "a secret on the disk of the %s host", c.Kind)
		assert.Equal(t, "600 root", strings.TrimSpace(in(t, c, "stat -c '%a %U' '"+path+"'")), path)
		paths = append(paths, path)
	}
	return paths
}

// watchProcesses looks again and again at these files (the arguments, the environment) of
// every process of this machine, which here has the containers' too, until
// stop is called; it then says how often.
func (cs canaries) watchProcesses(t *testing.T, files ...string) (stop func() int) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Log("no /proc: processes are not looked at")
		return func() int { return 1 }
	}
	ctx, cancel := context.WithCancel(t.Context())
	var rounds int
	clean := map[string]bool{} // most texts are there each time
	var watching sync.WaitGroup
	watching.Go(func() {
		for ; ctx.Err() == nil; rounds++ {
			for _, found := range cs.inProcesses(clean, files...) {
				assert.Fail(t, "a secret of a process can be seen", found)
			}
			time.Sleep(20 * time.Millisecond)
		}
	})
	return func() int {
		cancel()
		watching.Wait()
		return rounds
	}
}

func (cs canaries) inProcesses(clean map[string]bool, files ...string) (seen []string) {
	all, _ := filepath.Glob("/proc/[0-9]*")
	for _, proc := range all {
		comm, _ := os.ReadFile(proc + "/comm")
		for _, file := range files {
			text, err := os.ReadFile(proc + "/" + file)
			if err != nil || clean[string(text)] { // an error: it has ended
				continue
			}
			if found := cs.in(text); found == "" {
				clean[string(text)] = true
			} else {
				seen = append(seen, fmt.Sprintf("%s in %s of %s", found, file, bytes.TrimSpace(comm)))
			}
		}
	}
	return seen
}

// TestCanariesAreSeen: the search finds what it is for, in each disguise.
func TestCanariesAreSeen(t *testing.T) {
	secret := awkward()
	cs := canaries{}
	cs.add("password", secret)
	for name, text := range map[string]string{
		"plain":  secret,
		"base64": base64.StdEncoding.EncodeToString([]byte("user:" + secret + "\n")),
		"hex":    hex.EncodeToString([]byte(secret)),
		"URL":    "https://host/?q=" + url.QueryEscape(secret),
	} {
		assert.NotEmpty(t, cs.in([]byte("before "+text+" after")), name)
	}
	assert.Empty(t, cs.in([]byte(awkward())))
	if runtime.GOOS != "linux" {
		return
	}
	cmd := exec.Command("sleep", "60")
	cmd.Env = []string{"PASSWORD=" + secret}
	require.NoError(t, cmd.Start())
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	// Start returns before the kernel has told the new program its environment.
	assert.Eventually(t, func() bool {
		return strings.Contains(strings.Join(cs.inProcesses(map[string]bool{}, "environ"), "\n"), "environ of sleep")
	}, time.Minute, 10*time.Millisecond)
}
