package hostshell

import (
	"net/url"
	"strconv"
	"strings"
)

const (
	maxValues = 32   // of one finding
	maxValue  = 2048 // bytes of one value
)

// Finding is one line of a host script: a word, and values by name.
type Finding struct {
	Word   string
	Values map[string]string
}

// ParseFinding reads "WORD NAME=VALUE…", values percent-encoded, and ignores what is malformed.
func ParseFinding(line string) Finding {
	fields := strings.Fields(line)
	if len(fields) == 0 {
		return Finding{}
	}
	found := Finding{Word: fields[0], Values: map[string]string{}}
	for _, field := range fields[1:min(len(fields), maxValues+1)] {
		name, value, ok := strings.Cut(field, "=")
		if !ok || name == "" {
			continue
		}
		if plain, err := url.PathUnescape(value); err == nil {
			value = plain
		}
		found.Values[name] = value[:min(len(value), maxValue)]
	}
	return found
}

func (f Finding) Get(name string) string { return f.Values[name] }

// Number is a value as a whole number from 0 to maximum; 0 for anything else.
func (f Finding) Number(name string, maximum int64) int64 {
	n, err := strconv.ParseInt(f.Get(name), 10, 64)
	if err != nil || n < 0 || n > maximum {
		return 0
	}
	return n
}
