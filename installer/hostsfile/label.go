package hostsfile

import (
	"errors"
	"strings"

	"tripod/installer"
)

// ParseLabel reads NAME=VALUE, or NAME alone for one without a value. Errors
// do not quote the text.
func ParseLabel(text string) (name, value string, err error) {
	name, value, _ = strings.Cut(text, "=")
	name, value = strings.TrimSpace(name), strings.TrimSpace(value)
	if what := installer.LabelFault(name, value); what != "" {
		return "", "", errors.New(what)
	}
	return name, value, nil
}
