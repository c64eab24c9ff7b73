package report

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"tripod/cmd/tripod/internal/exit"
	"tripod/installer/plaintext"
)

// Place is where a column is shown.
type Place int

const (
	Table Place = 1 << iota
	CSV
	Details // of one item, a line for each column
)

type Column[T any] struct {
	Name string      // in the CSV; the table has it in capitals
	Of   func(T) any // a string, number, *int, bool, time.Time or []string
	In   Place       // 0: everywhere
}

// List is how items are printed as a table, as CSV and as JSON. New columns go to the
// end: programs read the CSV.
type List[T any] struct {
	Name    string // of the JSON document's array
	Columns []Column[T]
	JSON    func(any) (map[string]any, error) // nil: the item itself
}

// Pages is the one page of items that are in memory already.
func Pages[T any](items []T) iter.Seq2[[]T, error] {
	return func(yield func([]T, error) bool) { yield(items, nil) }
}

// Write prints the pages as they come: a long list does not have to fit into memory.
func (l List[T]) Write(w io.Writer, format string, pages iter.Seq2[[]T, error]) error {
	var b bytes.Buffer
	var add func(T) error
	flush, end := func() error { return nil }, func() {}
	switch format {
	case "json":
		add, end = l.jsonItems(&b)
	case "csv":
		out := csv.NewWriter(&b)
		_ = out.Write(l.names(CSV))
		add = func(item T) error { return out.Write(l.cells(item, CSV)) }
		flush = func() error { out.Flush(); return out.Error() }
	case "table":
		out := newTable(&b)
		writeRow(out, l.names(Table))
		add = func(item T) error { writeRow(out, l.cells(item, Table)); return nil }
		flush = out.Flush
	default:
		return exit.Usagef("the list of %s supports --output table, json and csv", l.Name)
	}
	write := func() error {
		if _, err := b.WriteTo(w); err != nil {
			return fmt.Errorf("write the result: %w", err)
		}
		return nil
	}
	for page, err := range pages {
		if err != nil {
			return err
		}
		for _, item := range page {
			if err := add(item); err != nil {
				return err
			}
		}
		if err := flush(); err != nil {
			return err
		}
		if err := write(); err != nil {
			return err
		}
	}
	end()
	return write()
}

func (l List[T]) jsonItems(b *bytes.Buffer) (add func(T) error, end func()) {
	fmt.Fprintf(b, "{\n  %q: [", l.Name)
	n, separator, last := 0, "\n    ", ""
	add = func(item T) (err error) {
		var doc any = item
		if l.JSON != nil {
			if doc, err = l.JSON(item); err != nil {
				return err
			}
		}
		text, err := JSON(doc)
		b.WriteString(separator + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n    "))
		n, separator, last = n+1, ",\n    ", "\n  "
		return err
	}
	return add, func() { fmt.Fprintf(b, "%s],\n  \"count\": %d\n}\n", last, n) }
}

// Details shows one item, a line for each column that is not empty.
func (l List[T]) Details(item T) string {
	var b strings.Builder
	w := newTable(&b)
	names, cells := l.names(Details), l.cells(item, Details)
	for i := range names {
		if cells[i] != dash {
			writeRow(w, []string{names[i], cells[i]})
		}
	}
	_ = w.Flush()
	return b.String()
}

func (l List[T]) columns(in Place) []Column[T] {
	return slices.DeleteFunc(slices.Clone(l.Columns), func(c Column[T]) bool { return c.In != 0 && c.In&in == 0 })
}

func (l List[T]) names(in Place) []string {
	var names []string
	for _, c := range l.columns(in) {
		name := c.Name
		if in == Table {
			name = strings.ToUpper(strings.ReplaceAll(name, "_", " "))
		}
		names = append(names, name)
	}
	return names
}

func (l List[T]) cells(item T, in Place) []string {
	var cells []string
	for _, c := range l.columns(in) {
		cells = append(cells, cell(c.Of(item), in))
	}
	return cells
}

// cell is a value, safe to show. In a CSV it is no formula either: a spreadsheet would
// compute it, and names and messages come from hosts and from others' files.
func cell(value any, in Place) string {
	if in != CSV {
		return cmp.Or(plaintext.Line(text(value, ",", "no", time.DateTime, time.Local)), dash)
	}
	s := plaintext.Line(text(value, ";", "", time.RFC3339, time.UTC))
	if s != "" && strings.Contains("=+-@", s[:1]) {
		return "'" + s
	}
	return s
}

func text(value any, separator, no, layout string, zone *time.Location) string {
	switch v := value.(type) {
	case []string:
		return strings.Join(v, separator)
	case *int:
		if v == nil {
			return ""
		}
		return fmt.Sprint(*v)
	case bool:
		if v {
			return "yes"
		}
		return no
	case time.Time:
		if v.IsZero() {
			return ""
		}
		return v.In(zone).Format(layout)
	}
	return fmt.Sprint(value)
}

const dash = "-"

func newTable(w io.Writer) *tabwriter.Writer { return tabwriter.NewWriter(w, 0, 8, 2, ' ', 0) }

func writeRow(w *tabwriter.Writer, cells []string) {
	fmt.Fprintln(w, strings.Join(cells, "\t"))
}
