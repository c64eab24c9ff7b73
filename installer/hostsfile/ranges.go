package hostsfile

import (
	"strconv"
	"strings"
)

// pattern is a host with ranges, taken apart: text and numbers take turns.
type pattern struct {
	texts   []string   // one more than numbers
	numbers [][]string // the choices of each range
	total   int        // how many hosts it makes
}

// parsePattern reads a host with ranges like 10.0.[0-3].[1-50] or
// web[01-12,20].example. what says what is wrong.
func parsePattern(host string) (p pattern, what string) {
	p.total = 1
	for {
		text, rest, found := strings.Cut(host, "[")
		if strings.ContainsRune(text, ']') {
			return p, "there is a ']' without a '['"
		}
		p.texts = append(p.texts, text)
		if !found {
			return p, ""
		}
		inner, after, closed := strings.Cut(rest, "]")
		if !closed {
			return p, "there is a '[' without a ']'"
		}
		choices, what := parseRange(inner)
		if what != "" {
			return p, what
		}
		if p.total *= len(choices); p.total > MaxHosts {
			return p, "the ranges make more than " + strconv.Itoa(MaxHosts) + " hosts"
		}
		p.numbers = append(p.numbers, choices)
		host = after
	}
}

const rangeRule = "a range is written [1-50], [01-12] or [1,3,5-9]"

// parseRange reads what stands in brackets.
func parseRange(inner string) (choices []string, what string) {
	for part := range strings.SplitSeq(inner, ",") {
		low, high, isRange := strings.Cut(part, "-")
		if !isRange {
			high = low
		}
		lo, okLow := number(low)
		hi, okHigh := number(high)
		switch {
		case !okLow || !okHigh:
			return nil, rangeRule
		case lo > hi:
			return nil, "a range goes down: write the lower number first"
		case hi-lo >= MaxHosts-len(choices):
			return nil, "the ranges make more than " + strconv.Itoa(MaxHosts) + " hosts"
		}
		width := 0
		if low[0] == '0' && len(low) > 1 {
			if width = len(low); len(high) < width {
				return nil, "a range with leading zeros has as many digits at both ends"
			}
		}
		for n := lo; n <= hi; n++ {
			text := strconv.Itoa(n)
			if pad := width - len(text); pad > 0 {
				text = strings.Repeat("0", pad) + text
			}
			choices = append(choices, text)
		}
	}
	return choices, ""
}

// number reads up to nine digits.
func number(s string) (int, bool) {
	if s == "" || len(s) > 9 || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.Atoi(s)
	return n, err == nil
}

// all yields the hosts of the pattern, the last range counting fastest.
func (p pattern) all(yield func(string) bool) {
	at := make([]int, len(p.numbers))
	for range p.total {
		var b strings.Builder
		for i, text := range p.texts {
			b.WriteString(text)
			if i < len(at) {
				b.WriteString(p.numbers[i][at[i]])
			}
		}
		if !yield(b.String()) {
			return
		}
		for i := len(at) - 1; i >= 0; i-- {
			if at[i]++; at[i] < len(p.numbers[i]) {
				break
			}
			at[i] = 0
		}
	}
}
