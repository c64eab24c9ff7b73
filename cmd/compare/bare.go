package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"github.com/pkg/sftp"
	"github.com/sourcegraph/conc/pool"
	"golang.org/x/crypto/ssh"
)

// bareWork is one run of the bare loop.
type bareWork struct {
	key, hosts, port string
	command          string
	send             string // path of a file; command is not run then
	parallel         int
}

// bareLoop is the least that x/crypto needs: dial, run one command (or send one
// file by SFTP), close. It checks nothing and keeps nothing.
func bareLoop(ctx context.Context, w bareWork) error {
	text, err := os.ReadFile(w.key)
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
	hosts, err := os.ReadFile(w.hosts)
	if err != nil {
		return err
	}
	workers := pool.New().WithMaxGoroutines(w.parallel).WithErrors().WithContext(ctx)
	for host := range strings.FieldsSeq(string(hosts)) {
		workers.Go(func(context.Context) error {
			client, err := ssh.Dial("tcp", net.JoinHostPort(host, w.port), config)
			if err != nil {
				return fmt.Errorf("%s: %w", host, err)
			}
			defer client.Close()
			if w.send != "" {
				return sendFile(client, w.send)
			}
			session, err := client.NewSession()
			if err != nil {
				return fmt.Errorf("%s: %w", host, err)
			}
			_, err = session.CombinedOutput(w.command)
			return err
		})
	}
	return workers.Wait()
}

func sendFile(client *ssh.Client, path string) error {
	local, err := os.Open(path)
	if err != nil {
		return err
	}
	defer local.Close()
	s, err := sftp.NewClient(client, sftp.UseConcurrentWrites(true))
	if err != nil {
		return err
	}
	defer s.Close()
	remote, err := s.Create("/root/large")
	if err != nil {
		return err
	}
	_, err = remote.ReadFrom(local)
	return errors.Join(err, remote.Close())
}
