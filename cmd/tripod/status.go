package main

import (
	"context"

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
		return s.PrintMade(session.Read(ctx, s, func(client *control.Client) (string, error) { return c.text(ctx, client) }))
	}
	return printList(ctx, s, c.Output, batchList, control.ListBatches, control.Newest{Limit: c.Limit})
}

func (c *statusCmd) text(ctx context.Context, client *control.Client) (string, error) {
	batchID, only, err := session.FindBatch(ctx, client, c.ID)
	var invs []installer.Invocation
	switch {
	case err != nil:
		return "", err
	case only == nil:
		invs, err = client.Invocations(ctx, batchID, "")
	case c.Output == "table":
		return report.InvocationDetails(only), nil
	default:
		invs = []installer.Invocation{*only}
	}
	if err != nil {
		return "", err
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
