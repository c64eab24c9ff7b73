package container

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// label marks containers and networks, so that leftovers can be found.
const label = "tripod.testhost"

// docker runs the docker command line and returns its trimmed output.
func docker(ctx context.Context, args ...string) (string, error) {
	return dockerEnv(ctx, nil, args...)
}

// dockerEnv has env in its own environment too.
func dockerEnv(ctx context.Context, env []string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "docker", args...)
	cmd.Env = append(os.Environ(), env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("container: docker %s: %w: %s", args[0], err, bytes.TrimSpace(stderr.Bytes()))
	}
	return strings.TrimSpace(string(out)), nil
}

// Image builds the test hosts' image, if need be, and returns its name. The
// Dockerfile is found from the working folder upwards, in testdata/images.
func Image(ctx context.Context) (string, error) {
	imageMu.Lock()
	defer imageMu.Unlock()
	if imageName != "" {
		return imageName, nil
	}
	script, err := findBuildScript()
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "sh", script)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("container: %s: %w: %s", script, err, bytes.TrimSpace(stderr.Bytes()))
	}
	imageName = strings.TrimSpace(string(out))
	return imageName, nil
}

var (
	imageMu   sync.Mutex
	imageName string
)

func findBuildScript() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("container: %w", err)
	}
	for ; ; dir = filepath.Dir(dir) {
		script := filepath.Join(dir, "testdata", "images", "build.sh")
		if _, err := os.Stat(script); err == nil {
			return script, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("container: no testdata/images/build.sh here or above")
		}
	}
}

// DockerAvailable reports whether a Docker engine answers; nil: it does.
func DockerAvailable(ctx context.Context) error {
	dockerOnce.Do(func() { _, dockerErr = docker(ctx, "version", "--format", "{{.Server.Version}}") })
	return dockerErr
}

var (
	dockerOnce sync.Once
	dockerErr  error
)

// NeedDocker skips the test under -short and, loudly, where no Docker engine runs. With
// CI=true in the environment that fails instead: there, a skipped test is a lie.
func NeedDocker(tb testing.TB) {
	tb.Helper()
	if testing.Short() {
		tb.Skip("-short: no containers")
	}
	err := DockerAvailable(context.Background())
	switch {
	case err == nil:
	case os.Getenv("CI") == "true":
		tb.Fatalf("CI needs a Docker engine: %v", err)
	default:
		fmt.Fprintf(os.Stderr, "SKIPPED for want of a Docker engine: %s\n", tb.Name())
		tb.Skipf("no Docker engine: %v", err)
	}
}
