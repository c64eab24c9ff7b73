package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"tripod/installer/plaintext"
	"tripod/store"
)

type tokensCmd struct {
	Add    tokensAddCmd    `cmd:"" help:"Make a token and print it, once."`
	List   tokensListCmd   `cmd:"" help:"List the tokens' names."`
	Remove tokensRemoveCmd `cmd:"" help:"End a token."`
}

// tokenName names a token within a project.
type tokenName struct {
	Project string `default:"default" help:"Project (tenant) that the token is for."`
	Name    string `arg:"" help:"What the token is called."`
}

type tokensAddCmd struct{ tokenName }

// Run prints the token alone on stdout.
func (c *tokensAddCmd) Run(ctx context.Context, a *app) error {
	return a.withStore(func(s *store.Store) error {
		token, err := s.AddToken(ctx, c.Project, c.Name)
		if errors.Is(err, store.ErrExists) {
			return usageError(err, "choose another name, or remove the old one first")
		}
		if err != nil {
			return inputOrStorage(err)
		}
		return a.print(token + "\n")
	})
}

type tokensRemoveCmd struct{ tokenName }

// Run ends a token.
func (c *tokensRemoveCmd) Run(ctx context.Context, a *app) error {
	return a.withStore(func(s *store.Store) error {
		if err := s.RemoveToken(ctx, c.Project, c.Name); err != nil {
			return inputOrStorage(err)
		}
		a.notef("removed token %q of project %s", c.Name, c.Project)
		return nil
	})
}

type tokensListCmd struct{ listFlag }

// Run lists names, never tokens: only their hashes are stored.
func (c *tokensListCmd) Run(ctx context.Context, a *app) error {
	s, err := a.openToRead()
	if err != nil {
		return err
	}
	infos, err := s.Tokens(ctx)
	if err = errors.Join(err, s.Close()); err != nil {
		return err
	}
	if c.Output == "json" {
		if infos == nil {
			infos = []store.TokenInfo{}
		}
		text, err := marshal(map[string]any{"tokens": infos})
		if err != nil {
			return err
		}
		return a.print(text)
	}
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "PROJECT\tNAME\tCREATED")
	for _, t := range infos {
		fmt.Fprintf(w, "%s\t%s\t%s\n", plaintext.Line(t.Project), plaintext.Line(t.Name), t.Created.Local().Format(time.DateTime))
	}
	_ = w.Flush()
	return a.print(b.String())
}

// withStore opens the state folder for fn and closes it.
func (a *app) withStore(fn func(*store.Store) error) error {
	s, err := a.openStore(keepAll)
	if err != nil {
		return err
	}
	return errors.Join(fn(s), s.Close())
}
