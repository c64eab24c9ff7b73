package main

import (
	"context"
	"errors"
	"time"

	"tripod/installer"
	"tripod/installer/control"
	"tripod/store"
)

type tokensCmd struct {
	Add    tokensAddCmd    `cmd:"" help:"Make a token and print it, once."`
	List   tokensListCmd   `cmd:"" help:"List the tokens' names."`
	Remove tokensRemoveCmd `cmd:"" help:"End a token."`
}

// grantFlags name a token or key within a project.
type grantFlags struct {
	Name string `arg:"" help:"What it is called."`
}

// rightsFlag says what a new token or key may do.
type rightsFlag struct {
	Rights string `enum:"full,read" default:"full" help:"full, or read: look and change nothing."`
}

type tokensAddCmd struct {
	grantFlags
	rightsFlag
}

// Run prints the token alone on stdout.
func (c *tokensAddCmd) Run(ctx context.Context, a *app) error {
	return a.change(ctx, func(m *control.Client) error {
		token, err := m.AddToken(ctx, a.project, c.Name, installer.Rights(c.Rights))
		if err != nil {
			return grantError(err)
		}
		return a.print(token + "\n")
	})
}

// grantError is the error of a new token or key.
func grantError(err error) error {
	if errors.Is(err, store.ErrExists) {
		return usageError(err, "choose another name, or remove the old one first")
	}
	return inputOrStorage(err)
}

type tokensRemoveCmd struct{ grantFlags }

// Run ends a token.
func (c *tokensRemoveCmd) Run(ctx context.Context, a *app) error {
	return a.change(ctx, func(m *control.Client) error {
		if err := m.RemoveToken(ctx, a.project, c.Name); err != nil {
			return inputOrStorage(err)
		}
		a.notef("removed token %q of project %s", c.Name, a.project)
		return nil
	})
}

type tokensListCmd struct{ tableFlag }

// Run lists names, never tokens: only their hashes are stored.
func (c *tokensListCmd) Run(ctx context.Context, a *app) error {
	var infos []installer.TokenInfo
	err := a.look(ctx, func(m *control.Client) (err error) {
		infos, err = m.Tokens(ctx, a.onlyProject)
		return err
	})
	if err != nil {
		return err
	}
	switch c.Output {
	case "json":
		return printList(a, "tokens", infos)
	case "csv":
		return printCSV(a, infos, []string{"project", "name", "rights", "created"}, func(t installer.TokenInfo) []string {
			return []string{t.Project, t.Name, string(t.Rights), csvTime(t.Created)}
		})
	}
	return printTable(a, infos, []string{"PROJECT", "NAME", "RIGHTS", "CREATED"}, func(t installer.TokenInfo) []string {
		return []string{t.Project, t.Name, string(t.Rights), t.Created.Local().Format(time.DateTime)}
	})
}
