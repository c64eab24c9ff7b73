package scripts_test

import (
	"archive/tar"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/testdata/agent"
)

// The real programs are compiled, and the child is bin/agent under the name of
// its parent.
func TestCompiledAgent(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	program := filepath.Join(t.TempDir(), "elf")
	build := exec.Command("go", "build", "-o", program, "tripod/testdata/agent/elf")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	text, err := build.CombinedOutput()
	require.NoError(t, err, "%s", text)
	binary, err := os.ReadFile(program)
	require.NoError(t, err)

	file := repack(t, agent.Build(t, agent.Options{Folder: "no-hint"}), tar.Header{}, string(binary))
	r := h.want(0, "install.sh", settings{"TRIPOD_PACKAGE": file, "TRIPOD_VERSION": "1.0.14.1"})
	healthy(t, r, "1.0.14.1", "old")
	names := map[string]int{}
	for _, pid := range h.processes() {
		comm, _ := os.ReadFile("/proc/" + pid + "/comm")
		names[strings.TrimSpace(string(comm))]++
	}
	require.Equal(t, map[string]int{"telescope": 1, "agent": 1}, names, "the test is to be about a child of another name")
	h.want(0, "uninstall.sh", nil)
	h.uninstalled()
}

// A process of the same name elsewhere is nobody's business.
func TestForeignTelescopeLives(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	dir := t.TempDir()
	foreign := filepath.Join(dir, "telescope")
	require.NoError(t, os.WriteFile(foreign, []byte("#!/bin/sh\nread -r line\n"), 0o755))
	cmd := exec.Command("./telescope")
	cmd.Dir = dir
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())

	h.want(0, "install.sh", settings{"TRIPOD_PACKAGE": agent.Build(t, agent.Options{})})
	h.want(0, "uninstall.sh", nil)
	h.uninstalled()
	_, err = stdin.Write([]byte("\n"))
	require.NoError(t, err)
	require.NoError(t, cmd.Wait(), "it was killed")
}

// Keys of any text come out as they went in, and nobody else can read them.
func TestConfiguration(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	secret := `s\e"c'r&e/t|$(x) ` + "`y`"
	s := settings{
		"TRIPOD_PACKAGE": agent.Build(t, agent.Options{}), "TRIPOD_INSTANCE_ID": "i-1", "TRIPOD_PROJECT_ID": "p-1",
		"TRIPOD_REGION": "r-1", "TRIPOD_ACCESS_KEY": "AK", "TRIPOD_SECRET_KEY": secret,
		"TRIPOD_CLIENT_PORT": "4000", "TRIPOD_PORT_NUM": "10", "TRIPOD_BMS": "true", "TRIPOD_ENDPOINT": "https://ces.example.com",
	}
	r := h.want(0, "install.sh", s)
	assert.NotContains(t, r.stdout+r.stderr, `s\e`)
	for file, want := range map[string]string{
		"conf.json": `{"InstanceId":"i-1","ProjectId":"p-1","RegionId":"r-1","AccessKey":"AK","SecretKey":` +
			`"s\\e\"c'r&e/t|$(x) ` + "`y`" + `","ClientPort":4000,"PortNum":10,"BmsFlag":true}`,
		"conf_ces.json": `{"Endpoint":"https://ces.example.com"}`,
	} {
		path := filepath.Join(h.root, "usr/local/telescope/bin", file)
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		assert.JSONEq(t, want, string(text))
		info, err := os.Stat(path)
		require.NoError(t, err)
		assert.Equal(t, os.FileMode(0o600), info.Mode().Perm(), file)
	}
	h.want(0, "uninstall.sh", nil)
	h.uninstalled()
}
