package main

import (
	"context"
	"errors"

	"tripod/cmd/tripod/internal/exit"
	"tripod/cmd/tripod/internal/report"
	"tripod/cmd/tripod/internal/session"
	"tripod/installer"
	"tripod/installer/control"
	"tripod/store"
)

type tokensCmd struct {
	Add    tokensAddCmd    `cmd:"" help:"Create a token and print it; it is shown only once."`
	List   tokensListCmd   `cmd:"" help:"List the names of the tokens."`
	Remove tokensRemoveCmd `cmd:"" help:"Revoke a token."`
}

type grantName struct {
	Name string `arg:"" help:"Its name."`
}

type rightsFlag struct {
	Rights string `enum:"full,read" default:"full" help:"full, or read: may read everything and change nothing."`
}

type tokensAddCmd struct {
	grantName
	rightsFlag
}

// Run prints the token alone on stdout.
func (c *tokensAddCmd) Run(ctx context.Context, s *session.Session) error {
	return s.Change(ctx, func(client *control.Client) error {
		token, err := client.AddToken(ctx, s.Project, c.Name, installer.Rights(c.Rights))
		if err != nil {
			return addGrantError(err)
		}
		return s.Print(token + "\n")
	})
}

func addGrantError(err error) error {
	if errors.Is(err, store.ErrExists) {
		return exit.UsageError(err, "choose another name, or remove the old one first")
	}
	return exit.InputOrStorage(err)
}

type tokensRemoveCmd struct{ grantName }

func (c *tokensRemoveCmd) Run(ctx context.Context, s *session.Session) error {
	return c.remove(ctx, s, "token", (*control.Client).RemoveToken)
}

func (g grantName) remove(ctx context.Context, s *session.Session, what string, remove func(c *control.Client, ctx context.Context, project, name string) error) error {
	return s.Change(ctx, func(client *control.Client) error {
		if err := remove(client, ctx, s.Project, g.Name); err != nil {
			return exit.InputOrStorage(err)
		}
		s.Notef("removed %s %q of project %s", what, g.Name, s.Project)
		return nil
	})
}

type tokensListCmd struct{ listFlag }

var tokenList = report.List[installer.TokenInfo]{Name: "tokens", Columns: []report.Column[installer.TokenInfo]{
	{Name: "project", Of: func(t installer.TokenInfo) any { return t.Project }},
	{Name: "name", Of: func(t installer.TokenInfo) any { return t.Name }},
	{Name: "rights", Of: func(t installer.TokenInfo) any { return t.Rights }},
	{Name: "created", Of: func(t installer.TokenInfo) any { return t.Created }},
}}

// Run lists names, never tokens: only their hashes are stored.
func (c *tokensListCmd) Run(ctx context.Context, s *session.Session) error {
	return printList(ctx, s, c.Output, tokenList, func(client *control.Client) ([]installer.TokenInfo, error) {
		return client.Tokens(ctx, s.Flags.Project)
	})
}
