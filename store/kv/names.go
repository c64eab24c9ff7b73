package kv

import (
	"fmt"
	"regexp"
	"strings"

	"tripod/installer"
)

var idForm = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z_-]{0,63}$`)

// CheckID guards ids that become names of files.
func CheckID(what, id string) error {
	if !idForm.MatchString(id) {
		return fmt.Errorf("%s id %q: want 1–64 letters, digits, '-' or '_', the first a letter or digit", what, id)
	}
	return nil
}

// CheckProject guards the name of a project.
func CheckProject(project string) error {
	if !installer.ProjectForm.MatchString(project) {
		return fmt.Errorf("project %q: want 1–64 letters, digits, '-' or '_'", project)
	}
	return nil
}

// CheckPart guards a string that becomes a part of a key.
func CheckPart(what, s string, most int) error {
	if s == "" || len(s) > most || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return fmt.Errorf("%s: want 1–%d bytes without control characters", what, most)
	}
	return nil
}

// NotFound is installer.ErrNotFound, with what was looked for.
func NotFound(what, id string) error {
	return fmt.Errorf("%s %q: %w", what, id, installer.ErrNotFound)
}
