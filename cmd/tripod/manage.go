package main

import (
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"tripod/installer/plaintext"
)

// managing opens what the commands work on, for what a command manages there.
func managing[M any](a *app, fn func(M) error) error {
	return a.withBackend(func(b backend) error { return as(b, fn) })
}

// looking is managing for reading only.
func looking[M any](a *app, fn func(M) error) error {
	l, err := a.look()
	if err != nil {
		return err
	}
	return joinClose(as(l, fn), l)
}

// as finds what a command needs in what it works on.
func as[M any](of any, fn func(M) error) error {
	m, ok := of.(M)
	if !ok {
		return usageError(errors.New("this cannot be done with --server"), "run it on the daemon's machine, with --state-dir, while the daemon is stopped")
	}
	return fn(m)
}

// printList prints items as one JSON document.
func printList[T any](a *app, name string, items []T) error {
	if items == nil {
		items = []T{}
	}
	text, err := marshal(map[string]any{name: items})
	if err != nil {
		return err
	}
	return a.print(text)
}

// printTable prints a line for each item.
func printTable[T any](a *app, items []T, head []string, cells func(T) []string) error {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, strings.Join(head, "\t"))
	for _, item := range items {
		line := cells(item)
		for i := range line {
			line[i] = plaintext.Line(line[i])
		}
		fmt.Fprintln(w, strings.Join(line, "\t"))
	}
	_ = w.Flush()
	return a.print(b.String())
}
