package scripts_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/testdata/agent"
)

// What is refused is refused before anything on the host has changed, and the
// agent that runs there runs on.
func TestRefusals(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	good := agent.Build(t, agent.Options{Version: "1.0"})
	h.want(0, "install.sh", settings{"TRIPOD_PACKAGE": good})
	before := h.files()
	running := h.processes()

	whole, err := os.ReadFile(good)
	require.NoError(t, err)
	write := func(name string, raw []byte) string {
		file := filepath.Join(t.TempDir(), name)
		require.NoError(t, os.WriteFile(file, raw, 0o600))
		return file
	}
	other := map[string]string{"amd64": "arm64", "arm64": "amd64"}[runtime.GOARCH]
	elf := "\x7fELF\x02\x01\x01" + strings.Repeat("\x00", 9) + "\x02\x00\x08\x00\x01\x00\x00\x00"
	stray := tar.Header{Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"}
	for name, tt := range map[string]struct {
		code int
		s    settings
		says string
	}{
		"no package":           {exitUsage, settings{}, "TRIPOD_PACKAGE is not set"},
		"a missing package":    {exitPackage, settings{"TRIPOD_PACKAGE": "/no/such/file"}, "no such package"},
		"cut off":              {exitPackage, settings{"TRIPOD_PACKAGE": write("cut", whole[:len(whole)/2])}, "damaged"},
		"not gzip":             {exitPackage, settings{"TRIPOD_PACKAGE": write("text", []byte("hello"))}, "damaged"},
		"not tar":              {exitPackage, settings{"TRIPOD_PACKAGE": write("gz", gzipped(t, []byte(strings.Repeat("x", 2000))))}, "not a tar archive"},
		"a way out":            {exitPackage, settings{"TRIPOD_PACKAGE": repack(t, good, tar.Header{Name: "t/../../x"}, "")}, "outside its own folder"},
		"an absolute path":     {exitPackage, settings{"TRIPOD_PACKAGE": repack(t, good, tar.Header{Name: "/tmp/x"}, "")}, "outside its own folder"},
		"a link out":           {exitPackage, settings{"TRIPOD_PACKAGE": repack(t, good, stray, "")}, "links out"},
		"another package":      {exitPackage, settings{"TRIPOD_PACKAGE": write("p", gzipped(t, tarOf(t, "x/setup.py")))}, "no install.sh"},
		"half a package":       {exitPackage, settings{"TRIPOD_PACKAGE": write("p", gzipped(t, tarOf(t, "x/install.sh")))}, "no telescoped"},
		"other architecture":   {exitHost, settings{"TRIPOD_PACKAGE": agent.Build(t, agent.Options{Arch: other})}, "is for " + other},
		"unknown architecture": {exitHost, settings{"TRIPOD_PACKAGE": repack(t, good, tar.Header{}, elf)}, "is for other"},
		"nothing kept":         {exitPackage, settings{"TRIPOD_RESTORE": "/no/such/folder"}, "no kept version"},
		"a relative prefix":    {exitUsage, settings{"TRIPOD_PREFIX": "usr/local"}, "TRIPOD_PREFIX"},
		"a way up in prefix":   {exitUsage, settings{"TRIPOD_PREFIX": "/usr/../etc"}, "TRIPOD_PREFIX"},
		"not a number":         {exitUsage, settings{"TRIPOD_WAIT": "soon"}, "TRIPOD_WAIT"},
		"a strange version":    {exitUsage, settings{"TRIPOD_VERSION": "1; reboot"}, "TRIPOD_VERSION"},
		"a control character":  {exitUsage, settings{"TRIPOD_SECRET_KEY": "se\ncret"}, "TRIPOD_SECRET_KEY"},
	} {
		t.Run(name, func(t *testing.T) {
			r := h.want(tt.code, "install.sh", tt.s)
			assert.Contains(t, r.stderr, tt.says)
			assert.NotContains(t, r.stderr, "cret", "a secret in a message")
			assert.Empty(t, h.work())
			assert.Equal(t, before, h.files())
			assert.Subset(t, h.processes(), running, "it runs on")
		})
	}
	h.want(exitUsage, "probe.sh --frobnicate", nil)
	h.want(0, "uninstall.sh", nil)
	h.uninstalled()
}

// A package that was made for the real root would write there.
func TestRootIsNotLeft(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	r := h.want(exitHost, "install.sh", settings{"TRIPOD_PACKAGE": repack(t, agent.Build(t, agent.Options{}), tar.Header{Name: "telescope_linux_" + runtime.GOARCH + "/install.sh"}, "")})
	assert.Contains(t, r.stderr, "TRIPOD_ROOT")
	h.uninstalled()
}

func TestNotRoot(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.path = "/usr/bin:/bin" // without the id that says 0
	if os.Getuid() == 0 {
		need(t, "setpriv")
		h.as = []string{"setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"}
		for dir := h.dir; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
			require.NoError(t, os.Chmod(dir, 0o755))
		}
		openUp(t, h.dir)
	}
	for _, script := range []string{"install.sh", "uninstall.sh", "verify.sh", "probe.sh"} {
		r := h.runAnd(func() { openUp(t, h.dir) }, script, settings{"TRIPOD_PACKAGE": "/p"})
		assert.Equal(t, exitNotRoot, r.code, r.stderr)
		assert.Contains(t, r.stderr, "root")
		if script == "probe.sh" {
			assert.Equal(t, "no", r.found["root"])
			assert.Equal(t, "none", r.found["agent"])
		}
	}
	h.uninstalled()
}

func openUp(t *testing.T, dir string) {
	t.Helper()
	require.NoError(t, exec.Command("chmod", "-R", "a+rX", dir).Run())
}

func TestNoSpace(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	file := agent.Build(t, agent.Options{})
	h.shim("df", "#!/bin/sh\necho header\necho /dev/x 1000 900 100 90% /\n")
	r := h.want(exitSpace, "install.sh", settings{"TRIPOD_PACKAGE": file})
	assert.Contains(t, r.stderr, "100 KiB are free")
	h.want(exitSpace, "probe.sh", settings{"TRIPOD_NEED_KIB": "101"})
	h.want(0, "probe.sh", settings{"TRIPOD_NEED_KIB": "100"})
	h.uninstalled()
}

// A file system that is really full, and a df that says otherwise.
func TestFullFileSystem(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	if os.Getuid() != 0 {
		t.Skip("SKIPPED: only root can mount")
	}
	small := filepath.Join(filepath.Dir(h.dir), "small")
	require.NoError(t, os.Mkdir(small, 0o755))
	if err := syscall.Mount("tmpfs", small, "tmpfs", 0, "size=16k"); err != nil {
		t.Skipf("SKIPPED: cannot mount: %v", err)
	}
	t.Cleanup(func() { assert.NoError(t, syscall.Unmount(small, 0)) })
	file := agent.Build(t, agent.Options{})
	r := h.want(exitSpace, "install.sh", settings{"TRIPOD_PACKAGE": file, "TRIPOD_WORK": small})
	assert.Contains(t, r.stderr, "are free")
	h.shim("df", "#!/bin/sh\necho header\necho /dev/x 1000000 1 999999 1% /\n")
	r = h.want(exitSpace, "install.sh", settings{"TRIPOD_PACKAGE": file, "TRIPOD_WORK": small})
	assert.Contains(t, r.stderr, "full")
	h.uninstalled()
}

// Ended from outside, it takes its own with it.
func TestTerminated(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	file := agent.Build(t, agent.Options{Habit: "hang"})
	cmd, stdout, _ := h.command(t.Context(), "install.sh", settings{"TRIPOD_PACKAGE": file})
	cmd.Stdout = nil
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	buf := make([]byte, 4096)
	for !strings.Contains(stdout.String(), "metadata service") {
		n, err := out.Read(buf)
		require.NoError(t, err)
		stdout.Write(buf[:n])
	}
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	_, err = io.Copy(io.Discard, out) // until all who hold it are gone
	require.NoError(t, err)
	_ = cmd.Wait()
	assert.Equal(t, exitTerminated, cmd.ProcessState.ExitCode())
	assert.Empty(t, h.work())
	require.Eventually(t, func() bool { return len(strayInstallers(h)) == 0 }, time.Minute, 50*time.Millisecond)
	h.uninstalled()
}

// strayInstallers are processes at work in the unpacked package.
func strayInstallers(h *host) []string {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	var all []string
	for _, dir := range dirs {
		if cwd, err := os.Readlink(dir + "/cwd"); err == nil && strings.HasPrefix(cwd, h.dir+"/unpacked.") {
			all = append(all, dir)
		}
	}
	return all
}

// repack writes the package file anew with one entry more, or with another
// program. An entry that is there already is replaced.
func repack(t *testing.T, file string, extra tar.Header, program string) string {
	t.Helper()
	in, err := os.Open(file)
	require.NoError(t, err)
	defer in.Close()
	unzipped, err := gzip.NewReader(in)
	require.NoError(t, err)
	var raw bytes.Buffer
	r, w := tar.NewReader(unzipped), tar.NewWriter(&raw)
	for {
		header, err := r.Next()
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		text, err := io.ReadAll(r)
		require.NoError(t, err)
		base := filepath.Base(header.Name)
		if program != "" && (base == "telescope" || base == "agent") && header.Typeflag == tar.TypeReg {
			text = []byte(program)
			header.Size = int64(len(text))
		}
		if header.Name == extra.Name {
			continue
		}
		require.NoError(t, w.WriteHeader(header))
		_, err = w.Write(text)
		require.NoError(t, err)
	}
	if extra.Name != "" || extra.Linkname != "" {
		if extra.Name == "" {
			extra.Name = "t/link"
		}
		extra.Mode = 0o755
		require.NoError(t, w.WriteHeader(&extra))
	}
	require.NoError(t, w.Close())
	out := filepath.Join(t.TempDir(), filepath.Base(file))
	require.NoError(t, os.WriteFile(out, gzipped(t, raw.Bytes()), 0o600))
	return out
}

func tarOf(t *testing.T, names ...string) []byte {
	t.Helper()
	var raw bytes.Buffer
	w := tar.NewWriter(&raw)
	for _, name := range names {
		require.NoError(t, w.WriteHeader(&tar.Header{Name: name, Mode: 0o755}))
	}
	require.NoError(t, w.Close())
	return raw.Bytes()
}

func gzipped(t *testing.T, raw []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err := w.Write(raw)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return out.Bytes()
}
