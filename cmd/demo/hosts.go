package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"tripod/installer"
	"tripod/installer/sshtest"
	"tripod/installer/sshtest/container"
)

// ownLabel marks the containers of this checkout: others may have a demo of
// their own on the same engine.
func ownLabel() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return "", err
	}
	sum := sha256.Sum256([]byte(dir))
	return "tripod-demo=" + hex.EncodeToString(sum[:8]), nil
}

// host is one of the demo's hosts.
type host struct {
	at       installer.Endpoint
	password string
}

// field is the demo's hosts, of either sort.
type field struct {
	hosts      []host
	containers bool
	servers    []*sshtest.Server
}

// start brings the hosts up: containers where they can be had.
func start(ctx context.Context) (field, error) {
	err := container.DockerAvailable(ctx)
	if err == nil {
		say("Three containers with a real sshd (the first time, their image is built: a minute or two) …")
		var up field
		if up, err = startContainers(ctx); err == nil {
			return up, nil
		}
		_ = removeContainers(ctx)
	}
	if ctx.Err() != nil {
		return field{}, ctx.Err()
	}
	say("No containers: %v\nIn-process SSH hosts instead; they really execute, each in a throw-away root.", err)
	return startServers()
}

func startContainers(ctx context.Context) (field, error) {
	up := field{containers: true}
	label, err := ownLabel()
	if err != nil {
		return up, err
	}
	for range hosts {
		c, err := container.New(ctx, container.PasswordKind, container.WithRunArgs("--label", label))
		if err != nil {
			return up, err
		}
		up.hosts = append(up.hosts, host{c.Endpoint(), c.Password})
	}
	return up, nil
}

func startServers() (field, error) {
	var up field
	for range hosts {
		s, err := sshtest.New(sshtest.Config{})
		if err != nil {
			up.close()
			return up, err
		}
		up.servers = append(up.servers, s)
		up.hosts = append(up.hosts, host{s.Endpoint("root"), sshtest.DefaultPassword})
	}
	return up, nil
}

// close ends in-process hosts. Containers stay for whoever wants to go on.
func (f field) close() {
	for _, s := range f.servers {
		s.Close()
	}
}

func (f field) hostsFile() string {
	// The stand-in sends nothing: these keys are nobody's.
	text := "name,host,port,user,password,agent_project_id,agent_instance_id,agent_access_key,agent_secret_key\n"
	for i, h := range f.hosts {
		text += fmt.Sprintf("demo-%d,%s,%d,%s,%s,demo,demo-%[1]d,demo,demo\n", i+1, h.at.Address, h.at.Port, h.at.User, h.password)
	}
	return text
}

func (f field) first() string { return f.hosts[0].at.HostPort() }

func (f field) farewell() {
	if f.containers {
		say("The three hosts stay up for that; `make demo-down` removes them.")
		return
	}
	waitForEnter("The three hosts stay up for that until you press Enter here.")
}

// removeContainers removes those of this checkout.
func removeContainers(ctx context.Context) error {
	if container.DockerAvailable(ctx) != nil {
		return nil
	}
	label, err := ownLabel()
	if err != nil {
		return err
	}
	ids, err := exec.CommandContext(ctx, "docker", "ps", "-aq", "--filter", "label="+label).Output()
	if err != nil || len(ids) == 0 {
		return err
	}
	args := append([]string{"rm", "-f"}, strings.Fields(string(ids))...)
	return exec.CommandContext(ctx, "docker", args...).Run()
}
