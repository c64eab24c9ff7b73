package installer

import (
	"maps"
	"strings"
	"unicode"
	"unicode/utf8"

	"tripod/installer/lazyregexp"
)

const MaxLabels = 64

var labelName = lazyregexp.New(`^[a-z0-9][a-z0-9._/-]{0,62}$`)

// LabelFault says what is wrong with a label, or "". It quotes no value.
func LabelFault(name, value string) string {
	switch {
	case !labelName.MatchString(name):
		return "a label's name has 1 to 63 of a-z 0-9 . _ / -, and begins with a letter or digit"
	case utf8.RuneCountInString(value) > 128:
		return "a label's value has at most 128 characters"
	case strings.ContainsFunc(value, unicode.IsControl):
		return "a label's value holds a control character"
	}
	return agentLabelFault(name, value)
}

// HasLabels reports whether the host has all of them; an empty value: any.
func (h Host) HasLabels(wanted map[string]string) bool {
	for name, value := range wanted {
		if have, ok := h.Labels[name]; !ok || value != "" && have != value {
			return false
		}
	}
	return true
}

// AddLabels gives the host the labels that it has none of the same name of.
func (h *Host) AddLabels(labels map[string]string) {
	if len(labels) == 0 {
		return
	}
	all := maps.Clone(labels)
	maps.Copy(all, h.Labels)
	h.Labels = all
}
