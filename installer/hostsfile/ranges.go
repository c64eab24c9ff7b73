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

// expandRanges makes the hosts of a text like 10.0.[0-3].[1-50] or
// web[01-12,20].example, the last range counting fastest. what says what is wrong.
func expandRanges(text string) (hosts []string, what string) {
	if len(text) > maxPattern {
		return nil, "the host is too long"
	}
	hosts = []string{""}
	for {
		before, rest, found := strings.Cut(text, "[")
		if strings.ContainsRune(before, ']') {
			return nil, "there is a ']' without a '['"
		}
		for i := range hosts {
			hosts[i] += before
		}
		if !found {
			return hosts, ""
		}
		inner, after, closed := strings.Cut(rest, "]")
		if !closed {
			return nil, "there is a '[' without a ']'"
		}
		numbers, what := parseRange(inner)
		if what != "" {
			return nil, what
		}
		if len(hosts)*len(numbers) > MaxHosts {
			return nil, manyInRange
		}
		longer := make([]string, 0, len(hosts)*len(numbers))
		for _, host := range hosts {
			for _, number := range numbers {
				longer = append(longer, host+number)
			}
		}
		hosts, text = longer, after
	}
}

func parseRange(inner string) (numbers []string, what string) {
	for part := range strings.SplitSeq(inner, ",") {
		low, high, isRange := strings.Cut(part, "-")
		if !isRange {
			high = low
		}
		lo, okLow := number(low)
		hi, okHigh := number(high)
		width := 0
		if len(low) > 1 && low[0] == '0' {
			width = len(low)
		}
		switch {
		case !okLow || !okHigh:
			return nil, rangeRule
		case lo > hi:
			return nil, "a range goes down: write the lower number first"
		case hi-lo >= MaxHosts-len(numbers):
			return nil, manyInRange
		case len(high) < width:
			return nil, "a range with leading zeros has as many digits at both ends"
		}
		for n := lo; n <= hi; n++ {
			numbers = append(numbers, fmt.Sprintf("%0*d", width, n))
		}
	}
	return numbers, ""
}

// number reads up to nine digits.
func number(s string) (int, bool) {
	n, err := strconv.Atoi(s)
	return n, err == nil && len(s) <= 9 && strings.Trim(s, "0123456789") == ""
}
