package main

import (
	"encoding/csv"
	"fmt"
	"strings"
	"time"

	"tripod/installer/plaintext"
)

// csvText makes a CSV of a header (nil: none) and rows, safe to show and to open: no
// cell holds a control character or is a formula to a spreadsheet.
func csvText(header []string, rows [][]string) (string, error) {
	var b strings.Builder
	w := csv.NewWriter(&b)
	if header != nil {
		_ = w.Write(header)
	}
	for _, row := range rows {
		cells := make([]string, len(row))
		for i := range row {
			cells[i] = csvCell(row[i])
		}
		_ = w.Write(cells)
	}
	w.Flush()
	if err := w.Error(); err != nil {
		return "", fmt.Errorf("make the CSV: %w", err)
	}
	return b.String(), nil
}

// csvCell puts an apostrophe before what a spreadsheet would compute: names and
// messages come from hosts and from others' files.
func csvCell(s string) string {
	s = plaintext.Line(s)
	if strings.HasPrefix(s, "=") || strings.HasPrefix(s, "+") || strings.HasPrefix(s, "-") || strings.HasPrefix(s, "@") {
		return "'" + s
	}
	return s
}

// csvTime is a time as CSV has it; empty: there is none.
func csvTime(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format(time.RFC3339)
}

// printCSV prints a row for each item.
func printCSV[T any](a *app, items []T, header []string, cells func(T) []string) error {
	rows := make([][]string, len(items))
	for i, item := range items {
		rows[i] = cells(item)
	}
	text, err := csvText(header, rows)
	if err != nil {
		return err
	}
	return a.print(text)
}
