package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer/sshtest/container"
)

// image is found from the checkout upwards, so before a test leaves it.
func image(t *testing.T) string {
	t.Helper()
	container.NeedDocker(t)
	name, err := container.Image(t.Context())
	require.NoError(t, err)
	return name
}

func docker(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "docker", args...).Output()
	require.NoError(t, err)
	return strings.TrimSpace(string(out))
}

// demoContainer makes one, as the demo in the working folder would.
func demoContainer(t *testing.T, image string) string {
	t.Helper()
	label, err := ownLabel()
	require.NoError(t, err)
	id := docker(t, "create", "--label", label, image)
	t.Cleanup(func() { _ = exec.CommandContext(context.Background(), "docker", "rm", "-f", id).Run() })
	return id
}

func TestContainersOfOtherCheckoutsStay(t *testing.T) {
	image := image(t)
	t.Chdir(t.TempDir())
	other := demoContainer(t, image)
	t.Chdir(t.TempDir())
	own := demoContainer(t, image)
	require.NoError(t, removeContainers(t.Context()))
	left := docker(t, "ps", "-aq", "--no-trunc")
	assert.Contains(t, left, other)
	assert.NotContains(t, left, own)
}

func TestACheckoutIsTheSameByEachOfItsNames(t *testing.T) {
	dir := t.TempDir()
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(dir, link))
	t.Chdir(dir)
	byName, err := ownLabel()
	require.NoError(t, err)
	t.Chdir(link)
	byLink, err := ownLabel()
	require.NoError(t, err)
	assert.Equal(t, byName, byLink)
}
