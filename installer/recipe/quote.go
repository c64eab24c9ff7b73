package recipe

import (
	"bytes"
	"strings"

	"tripod/installer"
	"tripod/installer/plaintext"
)

// lastLines is the last line that is not blank, with the one before it if both are short.
func lastLines(text string) string {
	last, before := "", ""
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			last, before = line, last
		}
	}
	if before != "" && len(before)+len(last) < 100 {
		return before + " | " + last
	}
	return last
}

const maxShown = 300

// shown makes hostile text fit for a message: without secrets of this job, on one
// line, without control characters, at most so many bytes.
func (w *work) shown(text string, most int) string {
	line := plaintext.Line(strings.TrimSpace(w.scrubbed(text)))
	if len(line) > most {
		line = strings.ToValidUTF8(line[:most-3], "") + "..."
	}
	return line
}

// quoted is the end of a host's text, for a message: "" or ": TEXT".
func (w *work) quoted(text string) string {
	// Scrubbed before it is cut, so that no part of a secret is left.
	if text = w.shown(lastLines(w.scrubbed(text)), maxShown); text == "" {
		return ""
	}
	return ": " + text
}

func (w *work) scrubbed(text string) string {
	var clean bytes.Buffer
	scrub := installer.NewScrubber(&clean, w.job.Credentials.Secrets())
	_, _ = scrub.Write([]byte(text))
	_ = scrub.Flush()
	return clean.String()
}
