// Package plaintext makes hostile text safe to show: what a host prints, and what a
// hosts file calls it, can hold escape sequences and controls that rewrite a terminal.
// Everywhere such text reaches a person's eyes it goes through here.
package plaintext

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Line returns s on one line: everything that is not printable is written as
// an escape (\n, \t, \x1b, \u202e), and so is every byte that is not UTF-8.
func Line(s string) string { return escape(s, false) }

// Text is Line for text of several lines: line ends and tabs stay.
func Text(s string) string { return escape(s, true) }

func escape(s string, lines bool) string {
	hidden := func(r rune) bool {
		return r == utf8.RuneError || !unicode.IsPrint(r) && !(lines && (r == '\n' || r == '\t'))
	}
	if !strings.ContainsFunc(s, hidden) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case lines && strings.HasPrefix(s, "\r\n"):
			b.WriteByte('\n')
			n = 2
		case r == utf8.RuneError || !hidden(r):
			b.WriteRune(r)
		case strings.ContainsRune("\n\r\t", r):
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		case r < 0x100:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
		s = s[n:]
	}
	return b.String()
}

// Writer is Text for a stream. Close writes what is left over; it does not close the
// writer underneath.
type Writer struct {
	to   io.Writer
	rest []byte // the beginning of a character, or a \r
}

// NewWriter returns a Writer to w.
func NewWriter(w io.Writer) *Writer { return &Writer{to: w} }

func (w *Writer) Write(p []byte) (int, error) {
	w.rest = append(w.rest, p...)
	whole := len(w.rest) - unfinished(w.rest)
	err := w.emit(string(w.rest[:whole]))
	w.rest = append(w.rest[:0], w.rest[whole:]...)
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

// Close writes what was held back.
func (w *Writer) Close() error {
	rest := string(w.rest)
	w.rest = nil
	return w.emit(rest)
}

func (w *Writer) emit(s string) error {
	if s == "" {
		return nil
	}
	_, err := io.WriteString(w.to, Text(s))
	return err
}

// unfinished counts the bytes at p's end that may change their meaning with
// the bytes that follow.
func unfinished(p []byte) int {
	if n := len(p); n > 0 && p[n-1] == '\r' {
		return 1
	}
	for n := 1; n <= min(len(p), utf8.UTFMax-1); n++ {
		if c := p[len(p)-n]; utf8.RuneStart(c) {
			if utf8.FullRune(p[len(p)-n:]) {
				return 0
			}
			return n
		}
	}
	return 0
}
