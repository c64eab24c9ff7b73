package main

import (
	"context"
	"fmt"

	"tripod/installer"
	"tripod/installer/control"
	"tripod/installer/hostsfile"
)

type hostsCmd struct {
	Import    hostsImportCmd `cmd:"" help:"Make the hosts of a file known, with labels, ids and logins."`
	List      hostsListCmd   `cmd:"" help:"List known hosts and what is known of their agents."`
	Show      hostsShowCmd   `cmd:"" help:"Show one known host."`
	Remove    hostsRemoveCmd `cmd:"" help:"Forget known hosts and erase their logins."`
	ForgetKey forgetKeyCmd   `cmd:"" help:"Forget the pinned host key of a host that was rebuilt."`
}

type forgetKeyCmd struct {
	Host string `arg:"" name:"host" help:"HOST[:PORT], as in the hosts file."`
}

// Run forgets the pins of one place.
func (c *forgetKeyCmd) Run(ctx context.Context, a *app) error {
	host, err := hostsfile.ParseEndpoint(c.Host, "", installer.DefaultPort)
	if err != nil {
		return usageError(fmt.Errorf("host: %w", err), "want HOST or HOST:PORT")
	}
	at := host.HostPort()
	return a.change(ctx, func(s *control.Client) error {
		n, err := s.ForgetKeys(ctx, a.project, at)
		if err != nil {
			return err
		}
		if n == 0 {
			return usageError(fmt.Errorf("no host key is pinned for %s", at), "give the port where it is not 22")
		}
		a.notef("forgot the host key of %s: the next connection pins the one it sees", at)
		return nil
	})
}
