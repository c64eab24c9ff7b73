package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"tripod/installer/plaintext"
)

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
