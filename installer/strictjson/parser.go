package strictjson

import (
	"bytes"
	"errors"
	"strconv"
	"unicode/utf8"

	"tripod/installer"
)

var (
	errSyntax  = errors.New("syntax") // recorded as a fault; reading cannot go on
	errTooMany = errors.New("too many faults")
)

// parser is a recursive-descent reader of RFC 8259.
type parser struct {
	in     []byte
	pos    int
	o      Options
	path   []step
	values int
	faults installer.Faults
}

// step is one part of the path to where the parser is: a key, or an index.
type step struct {
	key   string
	index int // -1 for a key
}

func (p *parser) document() (Value, error) {
	if err := p.begin(); err != nil {
		return Value{}, err
	}
	v, err := p.value()
	if err != nil {
		return v, err
	}
	if err := p.end(); err != nil {
		return Value{}, err
	}
	return v, nil
}

// begin is before the document's value, end behind it.
func (p *parser) begin() error {
	if bytes.HasPrefix(p.in, []byte("\xef\xbb\xbf")) {
		return p.syntax("begins with a byte order mark: save it as plain UTF-8")
	}
	p.space()
	if p.pos == len(p.in) {
		return p.syntax("is empty")
	}
	return nil
}

func (p *parser) end() error {
	if p.space(); p.pos < len(p.in) {
		return p.syntax("has data after its end")
	}
	return nil
}

func (p *parser) value() (Value, error) {
	if p.values++; p.values > p.o.MaxValues {
		return Value{}, p.syntax("has more than %d values", p.o.MaxValues)
	}
	if p.pos == len(p.in) {
		return Value{}, p.cut()
	}
	switch c := p.in[p.pos]; {
	case c == '{':
		return p.object()
	case c == '[':
		return p.array()
	case c == '"':
		text, err := p.string(func() string { return p.where() })
		return Value{kind: String, text: text}, err
	case c == '-' || '0' <= c && c <= '9':
		return p.number()
	}
	for _, word := range []struct {
		text string
		kind Kind
	}{{"true", Bool}, {"false", Bool}, {"null", Null}} {
		if bytes.HasPrefix(p.in[p.pos:], []byte(word.text)) {
			p.pos += len(word.text)
			return Value{kind: word.kind, text: word.text}, nil
		}
	}
	return Value{}, p.unexpected("a value")
}

func (p *parser) array() (Value, error) {
	v := Value{kind: Array}
	if err := p.enter(step{}); err != nil {
		return v, err
	}
	most := p.mostItems()
	for {
		if p.space(); len(v.kids) == 0 && p.take(']') {
			break
		}
		if len(v.kids) == most {
			p.path = p.path[:len(p.path)-1]
			return v, p.syntax("must hold at most %d items", most)
		}
		p.path[len(p.path)-1].index = len(v.kids)
		kid, err := p.value()
		if err != nil {
			return v, err
		}
		v.kids = append(v.kids, member{Value: kid})
		if p.space(); p.take(']') {
			break
		}
		if !p.take(',') {
			return v, p.unexpected("',' or ']'")
		}
	}
	p.path = p.path[:len(p.path)-1]
	return v, nil
}

// mostItems of the list that was entered; -1: any number.
func (p *parser) mostItems() int {
	if len(p.path) == 2 {
		if most, bounded := p.o.MaxItems[p.path[0].key]; bounded {
			return most
		}
	}
	return -1
}

func (p *parser) object() (Value, error) {
	v := Value{kind: Object}
	if err := p.enter(step{index: -1}); err != nil {
		return v, err
	}
	var seen keys
	for {
		if p.space(); len(v.kids) == 0 && p.take('}') {
			break
		}
		kid, err := p.member(&seen)
		if err != nil {
			return v, err
		}
		v.kids = append(v.kids, kid)
		if p.space(); p.take('}') {
			break
		}
		if !p.take(',') {
			return v, p.unexpected("',' or '}'")
		}
	}
	p.path = p.path[:len(p.path)-1]
	return v, nil
}

// member reads one key and its value.
func (p *parser) member(seen *keys) (member, error) {
	at := &p.path[len(p.path)-1]
	at.key = ""
	if p.pos == len(p.in) || p.in[p.pos] != '"' {
		return member{}, p.unexpected("a key in double quotes")
	}
	key, err := p.string(func() string { return p.parent() + " (a key)" })
	if err != nil {
		return member{}, err
	}
	at.key = key
	if twin, found := seen.add(key); found {
		what := "the key is there twice"
		if twin != key {
			what = "the key differs from another one, " + pathKey(twin) + ", in case only"
		}
		if err := p.fault(p.where(), what); err != nil {
			return member{}, err
		}
	}
	if p.space(); !p.take(':') {
		return member{}, p.unexpected("':'")
	}
	p.space()
	kid, err := p.value()
	return member{name: key, Value: kid}, err
}

func (p *parser) enter(s step) error {
	if len(p.path) == p.o.MaxDepth {
		return p.syntax("is nested more than %d deep", p.o.MaxDepth)
	}
	p.pos++
	p.path = append(p.path, s)
	return nil
}

func (p *parser) number() (Value, error) {
	start := p.pos
	p.take('-')
	if !p.take('0') && !p.digits() {
		return Value{}, p.unexpected("a digit")
	}
	if p.take('.') && !p.digits() {
		return Value{}, p.unexpected("a digit")
	}
	if p.take('e') || p.take('E') {
		if !p.take('+') {
			p.take('-')
		}
		if !p.digits() {
			return Value{}, p.unexpected("a digit")
		}
	}
	v := Value{kind: Number, text: string(p.in[start:p.pos])}
	if _, err := strconv.ParseFloat(v.text, 64); err != nil || len(v.text) > 400 {
		return v, p.fault(p.where(), "the number is out of range")
	}
	return v, nil
}

func (p *parser) digits() bool {
	start := p.pos
	for p.pos < len(p.in) && '0' <= p.in[p.pos] && p.in[p.pos] <= '9' {
		p.pos++
	}
	return p.pos > start
}

func (p *parser) space() {
	for p.pos < len(p.in) {
		switch p.in[p.pos] {
		case ' ', '\t', '\n', '\r':
			p.pos++
		default:
			return
		}
	}
}

func (p *parser) take(c byte) bool {
	if p.pos < len(p.in) && p.in[p.pos] == c {
		p.pos++
		return true
	}
	return false
}

// unexpected says where and what should be there; what is there may be part
// of a password and is not shown.
func (p *parser) unexpected(want string) error {
	if p.pos == len(p.in) {
		return p.cut()
	}
	if p.in[p.pos] >= utf8.RuneSelf && !utf8.Valid(p.in[p.pos:min(len(p.in), p.pos+utf8.UTFMax)]) {
		want += " (and found a byte that is not UTF-8 or not JSON)"
	}
	return p.syntax("is not JSON at line %d, column %d: expected %s", p.line(), p.column(), want)
}

func (p *parser) cut() error { return p.syntax("ends too early, at line %d", p.line()) }

func (p *parser) line() int { return 1 + bytes.Count(p.in[:p.pos], []byte{'\n'}) }

// column counts bytes, from 1.
func (p *parser) column() int { return p.pos - bytes.LastIndexByte(p.in[:p.pos], '\n') }

func (p *parser) syntax(format string, args ...any) error {
	p.faults.Add(p.where(), format, args...)
	return errSyntax
}

func (p *parser) fault(where, what string) error {
	p.faults.Add(where, "%s", what)
	if len(p.faults) >= maxFaults {
		return errTooMany
	}
	return nil
}

// where is the path to the value at hand.
func (p *parser) where() string { return p.render(p.path) }

// parent is the path to the array or object around it.
func (p *parser) parent() string { return p.render(p.path[:len(p.path)-1]) }

func (p *parser) render(steps []step) string {
	path := p.o.Path
	for _, s := range steps {
		switch {
		case s.index >= 0:
			path = Index(path, s.index)
		case s.key != "":
			path = Join(path, s.key)
		}
	}
	return root(path)
}
