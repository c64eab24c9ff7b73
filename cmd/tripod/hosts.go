package main

import (
	"context"
	"fmt"

	"tripod/installer"
	"tripod/store"
)

type hostsCmd struct {
	ForgetKey forgetKeyCmd `cmd:"" help:"Forget the pinned host key of a host that was rebuilt."`
}

type forgetKeyCmd struct {
	Host    string `arg:"" name:"host" help:"HOST[:PORT], as in the hosts file."`
	Project string `default:"default" help:"Project (tenant) that the pin belongs to."`
}

// Run forgets the pins of one place.
func (c *forgetKeyCmd) Run(ctx context.Context, a *app) error {
	address, port, err := splitPort(c.Host)
	if err != nil || address == "" {
		return usageError(fmt.Errorf("%q: want HOST or HOST:PORT", c.Host), "")
	}
	at := installer.Endpoint{Address: address, Port: port}.HostPort()
	return a.withStore(func(s *store.Store) error {
		n, err := s.ForgetKeys(ctx, c.Project, at)
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
