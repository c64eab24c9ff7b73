package hostsfile

import (
	"fmt"
	"strconv"
	"strings"
)

const (
	maxPattern  = 1024 // bytes of a host with ranges
	rangeRule   = "a range is written [1-50], [01-12] or [1,3,5-9]"
	manyInRange = "the ranges make more than 100000 hosts"
)

// pattern is a host with ranges, taken apart: text and ranges take turns.
type pattern struct {
	texts  []string // one more than ranges
	ranges []numbers
	total  int // how many hosts it makes
}

// numbers are what stands in brackets.
type numbers struct {
	spans []span
	count int
}

type span struct{ low, count, width int }

// parsePattern reads a text like 10.0.[0-3].[1-50] or web[01-12,20].example. what says
// what is wrong.
func parsePattern(text string) (p pattern, what string) {
	if len(text) > maxPattern {
		return p, "the host is too long"
	}
	p.total = 1
	for {
		before, rest, found := strings.Cut(text, "[")
		if strings.ContainsRune(before, ']') {
			return p, "there is a ']' without a '['"
		}
		if p.texts = append(p.texts, before); !found {
			return p, ""
		}
		inner, after, closed := strings.Cut(rest, "]")
		if !closed {
			return p, "there is a '[' without a ']'"
		}
		r, what := parseRange(inner)
		if what != "" {
			return p, what
		}
		if p.total *= r.count; p.total > MaxHosts {
			return p, manyInRange
		}
		p.ranges = append(p.ranges, r)
		text = after
	}
}

// host makes the nth one, the last range counting fastest.
func (p pattern) host(n int) string {
	host := p.texts[len(p.ranges)]
	for i := len(p.ranges) - 1; i >= 0; i-- {
		r := p.ranges[i]
		host = p.texts[i] + r.number(n%r.count) + host
		n /= r.count
	}
	return host
}

func (r numbers) number(n int) string {
	for _, s := range r.spans {
		if n < s.count {
			return fmt.Sprintf("%0*d", s.width, s.low+n)
		}
		n -= s.count
	}
	return ""
}

func parseRange(inner string) (r numbers, what string) {
	for part := range strings.SplitSeq(inner, ",") {
		low, high, isRange := strings.Cut(part, "-")
		if !isRange {
			high = low
		}
		lo, okLow := number(low)
		hi, okHigh := number(high)
		s := span{low: lo, count: hi - lo + 1}
		if len(low) > 1 && low[0] == '0' {
			s.width = len(low)
		}
		switch {
		case !okLow || !okHigh:
			return r, rangeRule
		case lo > hi:
			return r, "a range goes down: write the lower number first"
		case s.count > MaxHosts-r.count:
			return r, manyInRange
		case len(high) < s.width:
			return r, "a range with leading zeros has as many digits at both ends"
		}
		r.spans, r.count = append(r.spans, s), r.count+s.count
	}
	return r, ""
}

// number reads up to nine digits.
func number(s string) (int, bool) {
	n, err := strconv.Atoi(s)
	return n, err == nil && len(s) <= 9 && strings.Trim(s, "0123456789") == ""
}
