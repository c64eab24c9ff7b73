package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/sourcegraph/conc/pool"
	"golang.org/x/crypto/ssh"
)

// bareLoop is the least that x/crypto needs: dial, run one command, close. It
// uploads nothing, checks nothing and keeps nothing.
func bareLoop(ctx context.Context, dir string, parallel int) error {
	text, err := os.ReadFile(filepath.Join(dir, "key"))
	if err != nil {
		return err
	}
	signer, err := ssh.ParsePrivateKey(text)
	if err != nil {
		return err
	}
	config := &ssh.ClientConfig{
		User:            "root",
		Auth:            []ssh.AuthMethod{ssh.PublicKeys(signer)},
		HostKeyCallback: ssh.InsecureIgnoreHostKey(), //nolint:gosec // our own container
	}
	hosts, err := os.Open(filepath.Join(dir, "hosts"))
	if err != nil {
		return err
	}
	defer hosts.Close()

	workers := pool.New().WithMaxGoroutines(parallel).WithErrors().WithContext(ctx)
	for lines := bufio.NewScanner(hosts); lines.Scan(); {
		address := net.JoinHostPort(lines.Text(), fieldPort)
		workers.Go(func(context.Context) error {
			client, err := ssh.Dial("tcp", address, config)
			if err != nil {
				return fmt.Errorf("%s: %w", address, err)
			}
			defer client.Close()
			session, err := client.NewSession()
			if err != nil {
				return fmt.Errorf("%s: %w", address, err)
			}
			_, err = session.CombinedOutput("echo run >>/root/runs")
			return err
		})
	}
	return workers.Wait()
}
