package strictjson

import (
	"unicode/utf16"
	"unicode/utf8"
)

// string reads a string whose opening quote is next. where is asked only when
// something is wrong.
func (p *parser) string(where func() string) (string, error) {
	p.pos++
	start := p.pos
	for p.pos < len(p.in) { // the common case: no escapes, nothing to copy
		c := p.in[p.pos]
		if c == '"' {
			p.pos++
			return string(p.in[start : p.pos-1]), nil
		}
		if c == '\\' || c < ' ' || c >= utf8.RuneSelf {
			break
		}
		p.pos++
	}
	out := append(make([]byte, 0, 2*(p.pos-start)+16), p.in[start:p.pos]...)
	var bad string
	for p.pos < len(p.in) {
		c := p.in[p.pos]
		switch {
		case c == '"':
			p.pos++
			if bad != "" {
				return string(out), p.fault(where(), bad)
			}
			return string(out), nil
		case c < ' ':
			return "", p.syntax("is not JSON at line %d, column %d: a control character in a string must be escaped", p.line(), p.column())
		case c == '\\':
			r, what := p.escape()
			if r < 0 {
				return "", p.unexpected("an escape sequence that JSON knows")
			}
			if what != "" {
				bad = what
			}
			out = utf8.AppendRune(out, r)
		case c < utf8.RuneSelf:
			out = append(out, c)
			p.pos++
		default:
			r, n := utf8.DecodeRune(p.in[p.pos:])
			if r == utf8.RuneError && n == 1 {
				bad = "holds bytes that are not UTF-8"
			}
			out = append(out, p.in[p.pos:p.pos+n]...)
			p.pos += n
		}
	}
	return "", p.cut()
}

// escape reads one escape sequence: its rune, or -1 and the position where it
// is wrong; and what is wrong with a rune that no text can hold.
func (p *parser) escape() (rune, string) {
	p.pos++
	if p.pos == len(p.in) {
		return -1, ""
	}
	c := p.in[p.pos]
	switch c {
	case '"', '\\', '/':
		p.pos++
		return rune(c), ""
	case 'b', 'f', 'n', 'r', 't':
		p.pos++
		return map[byte]rune{'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}[c], ""
	case 'u':
	default:
		return -1, ""
	}
	r := p.hex()
	switch {
	case r == 0:
		return r, "holds a NUL character"
	case !utf16.IsSurrogate(r):
		return r, ""
	}
	mark := p.pos
	if p.pos+1 < len(p.in) && p.in[p.pos] == '\\' && p.in[p.pos+1] == 'u' {
		p.pos++
		low := p.hex()
		if low < 0 {
			return low, ""
		}
		if full := utf16.DecodeRune(r, low); full != utf8.RuneError {
			return full, ""
		}
		p.pos = mark // the second one may be the half of another pair
	}
	return utf8.RuneError, "holds one half of a surrogate pair"
}

// hex reads 'u' and four hexadecimal digits.
func (p *parser) hex() rune {
	p.pos++
	var r rune
	for range 4 {
		if p.pos == len(p.in) {
			return -1
		}
		c := p.in[p.pos]
		switch {
		case '0' <= c && c <= '9':
			r = r<<4 | rune(c-'0')
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return -1
		}
		p.pos++
	}
	return r
}
