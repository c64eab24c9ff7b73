package main

import (
	"context"

	"tripod/cmd/tripod/internal/report"
	"tripod/cmd/tripod/internal/session"
	"tripod/installer"
	"tripod/installer/control"
)

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
		return c.print(s, key, func() string {
			return "access key: " + key.AccessKey + "\nsecret key: " + key.SecretKey + "\n"
		})
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

// Run lists access keys, never their secret keys.
func (c *keysListCmd) Run(ctx context.Context, s *session.Session) error {
	return printList(ctx, s, c.Output, keyList, control.ListKeys, control.OfProject{Project: s.Flags.Project})
}
