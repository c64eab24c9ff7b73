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

type statusCmd struct {
	ID    string `arg:"" optional:"" help:"A batch, an invocation, or a host of the newest batches."`
	Limit int    `short:"n" default:"20" help:"Number of batches to list."`
	reportFlag
}

func (statusCmd) Help() string {
	return `Without an ID: the newest batches. With the ID of a batch: its hosts. With the ID
of an invocation or the address of a host: the steps that were done there.`
}

func (c *statusCmd) Run(ctx context.Context, s *session.Session) error {
	switch {
	case c.Limit < 1:
		return exit.Usagef("--limit must be at least 1")
	case c.ID != "":
		return s.PrintMade(session.Read(ctx, s, func(client *control.Client) (string, error) { return c.text(ctx, s, client) }))
	case c.Output == "junit":
		return exit.Usagef("the list of batches supports --output table, json and csv")
	}
	return printList(ctx, s, c.Output, batchList, func(client *control.Client) ([]installer.BatchHead, error) {
		return client.Batches(ctx, s.Project, c.Limit)
	})
}

func (c *statusCmd) text(ctx context.Context, s *session.Session, client *control.Client) (string, error) {
	batchID := c.ID
	var invs []installer.Invocation
	switch _, err := client.Batch(ctx, s.Project, c.ID); {
	case errors.Is(err, installer.ErrNotFound):
		inv, err := session.FindInvocation(ctx, client, c.ID)
		if err != nil {
			return "", err
		}
		if c.Output == "table" {
			return report.InvocationDetails(&inv), nil
		}
		batchID, invs = inv.BatchID, []installer.Invocation{inv}
	case err != nil:
		return "", err
	default:
		if invs, err = session.Invocations(ctx, client, batchID); err != nil {
			return "", err
		}
	}
	return session.Report(ctx, client, batchID, invs).Render(c.Output)
}

var batchList = report.List[installer.BatchHead]{Name: "batches", Columns: []report.Column[installer.BatchHead]{
	{Name: "batch", Of: func(h installer.BatchHead) any { return h.ID }},
	{Name: "created", Of: func(h installer.BatchHead) any { return h.Created }},
	{Name: "hosts", Of: func(h installer.BatchHead) any { return h.Total }},
	{Name: "succeeded", Of: func(h installer.BatchHead) any { return h.ByState[installer.Succeeded] }},
	{Name: "failed", Of: func(h installer.BatchHead) any {
		return h.ByState[installer.Failed] + h.ByState[installer.Timeout] + h.ByState[installer.Canceled]
	}},
	{Name: "unfinished", Of: func(h installer.BatchHead) any { return h.Open }},
	{Name: "rolled_back", Of: func(h installer.BatchHead) any { return h.ByState[installer.Rollbacked] }},
	{Name: "from", Of: func(h installer.BatchHead) any { return h.Source }},
}}
