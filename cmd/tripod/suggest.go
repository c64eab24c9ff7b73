package main

import (
	"errors"
	"slices"
	"strings"
)

// onlyLikelySuggestions takes out of kong's "did you mean" what is more than
// one slip away from the word: two letters more make an opposite of many
// commands and flags ("uninstall", "--set", "export").
func onlyLikelySuggestions(err error) error {
	const did = ", did you mean "
	at := strings.LastIndex(err.Error(), did)
	if at < 0 {
		return err
	}
	before, after := err.Error()[:at], err.Error()[at+len(did):]
	word := strings.TrimPrefix(strings.TrimPrefix(before, "unexpected argument "), "unknown flag ")
	names := strings.Split(strings.Trim(strings.TrimPrefix(after, "one of "), `"?`), `", "`)
	all := slices.Clone(names)
	names = slices.DeleteFunc(names, func(name string) bool {
		hasOpposite := slices.ContainsFunc(all, func(other string) bool { return opposites(name, other) })
		return hasOpposite || !strings.HasPrefix(name, word) && !oneSlip(word, name)
	})
	switch len(names) {
	case 0:
		return errors.New(before)
	case 1:
		return errors.New(before + `, did you mean "` + names[0] + `"?`)
	}
	return errors.New(before + `, did you mean one of "` + strings.Join(names, `", "`) + `"?`)
}

// opposites reports whether one undoes what the other does. A word that is like both
// may mean either.
func opposites(a, b string) bool { return a == "un"+b || b == "un"+a }

// oneSlip reports whether one letter more, less or other, or two neighbours
// that changed places, make b of a.
func oneSlip(a, b string) bool {
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	switch {
	case len(a) <= 1 && len(b) <= 1:
		return true
	case len(a) == 2 && len(b) == 2:
		return a[0] == b[1] && a[1] == b[0]
	}
	return false
}
