package main

import (
	"context"
	"time"

	"tripod/installer"
	"tripod/installer/control"
)

type keysCmd struct {
	Add    keysAddCmd    `cmd:"" help:"Make an access key and its secret key, and print them, once."`
	List   keysListCmd   `cmd:"" help:"List the access keys."`
	Remove keysRemoveCmd `cmd:"" help:"End an access key."`
}

type keysAddCmd struct {
	grantFlags
	rightsFlag
	documentFlag
}

// Run prints the pair, once.
func (c *keysAddCmd) Run(ctx context.Context, a *app) error {
	return a.change(ctx, func(m *control.Client) error {
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
	return a.change(ctx, func(m *control.Client) error {
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
	err := a.look(ctx, func(m *control.Client) (err error) {
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
