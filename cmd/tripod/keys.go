package main

import (
	"context"
	"time"

	"tripod/installer"
)

type keysCmd struct {
	Add    keysAddCmd    `cmd:"" help:"Make an access key and its secret key, and print them, once."`
	List   keysListCmd   `cmd:"" help:"List the access keys."`
	Remove keysRemoveCmd `cmd:"" help:"End an access key."`
}

// keyManager keeps access keys: a state folder, or a daemon.
type keyManager interface {
	// AddKey returns the secret key, once.
	AddKey(ctx context.Context, project, name string, rights installer.Rights) (installer.KeyPair, error)
	// Keys lists those of a project; an empty one: of all that there are.
	Keys(ctx context.Context, project string) ([]installer.KeyInfo, error)
	RemoveKey(ctx context.Context, project, name string) error
}

type keysAddCmd struct {
	grantFlags
	rightsFlag
	documentFlag
}

// Run prints the pair, once.
func (c *keysAddCmd) Run(ctx context.Context, a *app) error {
	return managing(a, func(m keyManager) error {
		pair, err := m.AddKey(ctx, a.project, c.Name, installer.Rights(c.Rights))
		if err != nil {
			return grantError(err)
		}
		access, secret := pair.AccessKey, pair.SecretKey.Reveal()
		if c.Output != "json" {
			return a.print("access key: " + access + "\nsecret key: " + secret + "\n")
		}
		text, err := marshal(map[string]string{"access_key": access, "secret_key": secret})
		if err != nil {
			return err
		}
		return a.print(text)
	})
}

type keysRemoveCmd struct{ grantFlags }

// Run ends a key.
func (c *keysRemoveCmd) Run(ctx context.Context, a *app) error {
	return managing(a, func(m keyManager) error {
		if err := m.RemoveKey(ctx, a.project, c.Name); err != nil {
			return inputOrStorage(err)
		}
		a.notef("removed key %q of project %s", c.Name, a.project)
		return nil
	})
}

type keysListCmd struct{ tableFlag }

// Run lists access keys, never their secret keys.
func (c *keysListCmd) Run(ctx context.Context, a *app) error {
	var infos []installer.KeyInfo
	err := looking(a, func(m keyManager) (err error) {
		infos, err = m.Keys(ctx, a.onlyProject)
		return err
	})
	if err != nil {
		return err
	}
	switch c.Output {
	case "json":
		return printList(a, "keys", infos)
	case "csv":
		return printCSV(a, infos, []string{"project", "name", "rights", "access_key", "created"}, func(k installer.KeyInfo) []string {
			return []string{k.Project, k.Name, string(k.Rights), k.AccessKey, csvTime(k.Created)}
		})
	}
	return printTable(a, infos, []string{"PROJECT", "NAME", "RIGHTS", "ACCESS KEY", "CREATED"}, func(k installer.KeyInfo) []string {
		return []string{k.Project, k.Name, string(k.Rights), k.AccessKey, k.Created.Local().Format(time.DateTime)}
	})
}
