package recipe

import (
	"net/url"
	"strconv"
	"strings"
)

const (
	maxPairs = 32   // of one finding
	maxValue = 2048 // bytes of one value
)

// finding is one line of a host script: a word and what it tells.
type finding struct {
	word  string
	pairs map[string]string
}

// parseFinding reads "WORD NAME=VALUE…", values percent-encoded. What it does
// not understand it leaves out.
func parseFinding(line string) finding {
	fields := strings.Fields(line)
	if len(fields) == 0 {
		return finding{}
	}
	found := finding{word: fields[0], pairs: map[string]string{}}
	for _, field := range fields[1:min(len(fields), maxPairs+1)] {
		name, value, ok := strings.Cut(field, "=")
		if !ok || name == "" {
			continue
		}
		if plain, err := url.PathUnescape(value); err == nil {
			value = plain
		}
		found.pairs[name] = value[:min(len(value), maxValue)]
	}
	return found
}

func (f finding) get(name string) string { return f.pairs[name] }

// number is a value as a whole number from 0 to max; 0 for anything else.
func (f finding) number(name string, maximum int64) int64 {
	n, err := strconv.ParseInt(f.get(name), 10, 64)
	if err != nil || n < 0 || n > maximum {
		return 0
	}
	return n
}
