package installer

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/url"
	"slices"
	"strings"
)

// minScrubbed is the shortest secret that is looked for in output: blotting
// out every "a" would make a log unreadable and give the password away.
const minScrubbed = 4

// minLine is the same of one line of several.
const minLine = 16

// Scrubber replaces secrets by "[redacted]" on the way to a writer, also where they come in pieces:
// as they are, in base64, hex, JSON and URL-encoded, and each long line of a text. For one goroutine.
type Scrubber struct {
	to      io.Writer
	groups  [][][]byte  // secrets with the same first byte, longest first; none: there is no secret
	byFirst [256]uint16 // number of the group, from 1; 0: there is none
	held    []byte      // tail of what came, which may be the start of a secret
	out     []byte      // reused
}

func NewScrubber(to io.Writer, secrets []Secret) *Scrubber {
	s := &Scrubber{to: to}
	for _, pattern := range scrubPatterns(secrets) {
		group := &s.byFirst[pattern[0]]
		if *group == 0 {
			s.groups = append(s.groups, nil)
			*group = uint16(len(s.groups))
		}
		s.groups[*group-1] = append(s.groups[*group-1], []byte(pattern))
	}
	for _, group := range s.groups {
		slices.SortFunc(group, func(a, b []byte) int { return len(b) - len(a) })
	}
	return s
}

func scrubPatterns(secrets []Secret) (all []string) {
	for _, secret := range secrets {
		value := secret.Reveal()
		if strings.Contains(value, "\n") { // a key, or a variable that is a file
			for line := range strings.Lines(value) {
				line = strings.TrimSpace(line)
				if len(line) >= minLine && !strings.HasPrefix(line, "-----") {
					all = append(all, line)
				}
			}
		}
		switch raw := []byte(value); {
		case strings.Contains(value, "-----BEGIN"):
		case len(value) >= minScrubbed:
			all = append(all, value, inJSON(value), hex.EncodeToString(raw), url.QueryEscape(value), url.PathEscape(value),
				base64.StdEncoding.EncodeToString(raw), base64.RawStdEncoding.EncodeToString(raw), base64.RawURLEncoding.EncodeToString(raw))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// inJSON is text as it is in a string of JSON, such as the agent's configuration.
func inJSON(text string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(text) // a text always can be
	return b.String()[1 : b.Len()-2]
}

// Write never returns a short count: bytes held back count as written.
func (s *Scrubber) Write(p []byte) (int, error) {
	if len(s.groups) == 0 {
		return s.to.Write(p)
	}
	in := p
	if len(s.held) > 0 {
		in = append(s.held, p...)
	}
	out, rest := s.scrub(s.out[:0], in, false)
	if _, err := s.to.Write(out); err != nil {
		return 0, err
	}
	s.out = out
	s.held = append(s.held[:0:0], rest...)
	return len(p), nil
}

// Flush writes out what was held back. Call it when no more output comes.
func (s *Scrubber) Flush() error {
	if len(s.held) == 0 {
		return nil
	}
	// What is held begins like a secret, but its end has not come: a shorter
	// secret may still be whole in it.
	out, _ := s.scrub(nil, s.held, true)
	s.held = nil
	_, err := s.to.Write(out)
	return err
}

func (s *Scrubber) Drop() { s.held = nil }

// scrub appends the clean form of in to out; rest may go on as a secret, if it is not the last.
func (s *Scrubber) scrub(out, in []byte, last bool) (clean, rest []byte) {
	start := 0 // of what is not yet in out
	for i := 0; i < len(in); {
		group := s.byFirst[in[i]]
		if group == 0 {
			i++
			continue
		}
		n, more := match(s.groups[group-1], in[i:])
		switch {
		case more && !last:
			return append(out, in[start:i]...), in[i:]
		case n > 0:
			out = append(append(out, in[start:i]...), redacted...)
			i += n
			start = i
		default:
			i++
		}
	}
	return append(out, in[start:]...), nil
}

// match returns the length of the longest secret that in begins with; more says that a
// longer one may be on its way. The group has the longest first.
func match(group [][]byte, in []byte) (n int, more bool) {
	for _, pattern := range group {
		switch {
		case len(pattern) > len(in):
			more = more || bytes.HasPrefix(pattern, in)
		case bytes.HasPrefix(in, pattern):
			return len(pattern), more
		}
	}
	return 0, more
}
