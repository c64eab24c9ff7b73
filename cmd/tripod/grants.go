package main

import (
	"context"
	"errors"

	"tripod/cmd/tripod/internal/exit"
	"tripod/cmd/tripod/internal/report"
	"tripod/cmd/tripod/internal/session"
	"tripod/installer"
	"tripod/installer/control"
)

type tokensCmd struct {
	Add    tokensAddCmd    `cmd:"" help:"Create a token and print it; it is shown only once."`
	List   tokensListCmd   `cmd:"" help:"List the names of the tokens."`
	Remove tokensRemoveCmd `cmd:"" help:"Revoke a token."`
}

type grantName struct {
	Name string `arg:"" help:"Its name."`
}

type newGrant struct {
	grantName
	Rights string `enum:"full,read" default:"full" help:"full, or read: may read everything and change nothing."`
}

type tokensAddCmd struct{ newGrant }

// Run prints the token alone on stdout.
func (c *tokensAddCmd) Run(ctx context.Context, s *session.Session) error {
	return addGrant(ctx, s, control.AddToken, c.newGrant, func(token string) error { return s.Print(token + "\n") })
}

func addGrant[Out any](
	ctx context.Context, s *session.Session, add control.Operation[control.Grant, Out], g newGrant, show func(Out) error,
) error {
	return s.Change(ctx, func(client *control.Client) error {
		added, err := add.Call(ctx, client, control.Grant{Name: g.Name, Rights: installer.Rights(g.Rights)})
		if errors.Is(err, installer.ErrExists) {
			return exit.UsageError(err, "choose another name, or remove the old one first")
		}
		if err != nil {
			return err
		}
		return show(added)
	})
}

type tokensRemoveCmd struct{ grantName }

func (c *tokensRemoveCmd) Run(ctx context.Context, s *session.Session) error {
	return c.remove(ctx, s, "token", control.RemoveToken)
}

func (g grantName) remove(
	ctx context.Context, s *session.Session, what string, remove control.Operation[control.ID, struct{}],
) error {
	return s.Change(ctx, func(client *control.Client) error {
		if _, err := remove.Call(ctx, client, control.ID{ID: g.Name}); err != nil {
			return err
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
	return printList(ctx, s, c.Output, tokenList, control.ListTokens, control.OfProject{Project: s.Flags.Project})
}

type keysCmd struct {
	Add    keysAddCmd    `cmd:"" help:"Create an access key with its secret key and print them; they are shown only once."`
	List   keysListCmd   `cmd:"" help:"List the access keys."`
	Remove keysRemoveCmd `cmd:"" help:"Revoke an access key."`
}

type keysAddCmd struct {
	newGrant
	textFlag
}

func (c *keysAddCmd) Run(ctx context.Context, s *session.Session) error {
	return addGrant(ctx, s, control.AddKey, c.newGrant, func(key control.NewKey) error {
		return c.print(s, key, "access key: "+key.AccessKey+"\nsecret key: "+key.SecretKey+"\n")
	})
}

type keysRemoveCmd struct{ grantName }

func (c *keysRemoveCmd) Run(ctx context.Context, s *session.Session) error {
	return c.remove(ctx, s, "key", control.RemoveKey)
}

type keysListCmd struct{ listFlag }

var keyList = report.List[installer.KeyInfo]{Name: "keys", Columns: []report.Column[installer.KeyInfo]{
	{Name: "project", Of: func(k installer.KeyInfo) any { return k.Project }},
	{Name: "name", Of: func(k installer.KeyInfo) any { return k.Name }},
	{Name: "rights", Of: func(k installer.KeyInfo) any { return k.Rights }},
	{Name: "access_key", Of: func(k installer.KeyInfo) any { return k.AccessKey }},
	{Name: "created", Of: func(k installer.KeyInfo) any { return k.Created }},
}}

func (c *keysListCmd) Run(ctx context.Context, s *session.Session) error {
	return printList(ctx, s, c.Output, keyList, control.ListKeys, control.OfProject{Project: s.Flags.Project})
}
