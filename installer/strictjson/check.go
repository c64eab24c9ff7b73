package strictjson

import (
	"errors"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"tripod/installer"
)

// Check finds in a document all that Parse does, and where it has not the shape
// that it should have: unknown fields, those in another case, null and other
// wrong kinds, numbers that do not fit. It keeps nothing of what it reads, so
// that a large document can be checked before it is decoded.
//
// unknown is what is said of a field that is not known; %s is its name, in quotes.
// MaxValues bounds only what is not of the shape.
func Check(raw []byte, shape *Shape, unknown string, o Options) installer.Faults {
	c := checker{parser{in: raw, o: o.withDefaults()}, unknown}
	if err := c.document(shape); errors.Is(err, errTooMany) {
		c.faults.Add(root(o.Path), "too many faults; the rest is not shown")
	}
	return c.faults
}

type checker struct {
	parser
	unknown string
}

func (c *checker) document(shape *Shape) error {
	if err := c.begin(); err != nil {
		return err
	}
	if err := c.check(shape); err != nil {
		return err
	}
	return c.end()
}

// check reads a value that should have the shape s.
func (c *checker) check(s *Shape) error {
	kind := c.ahead()
	if kind == Invalid || s.kind == Invalid {
		_, err := c.value() // it tells what is wrong with it
		return err
	}
	if kind != s.kind {
		if err := c.fault(c.where(), "must be "+s.kind.String()+", not "+kind.String()); err != nil {
			return err
		}
		_, err := c.value()
		return err
	}
	switch kind {
	case Object:
		return c.object(s)
	case Array:
		return c.array(s)
	case String:
		return c.text(s)
	case Number:
		return c.number(s)
	}
	_, err := c.value()
	return err
}

// ahead is what the next value seems to be.
func (c *checker) ahead() Kind {
	if c.pos == len(c.in) {
		return Invalid
	}
	switch b := c.in[c.pos]; {
	case b == '{':
		return Object
	case b == '[':
		return Array
	case b == '"':
		return String
	case b == 't' || b == 'f':
		return Bool
	case b == 'n':
		return Null
	case b == '-' || '0' <= b && b <= '9':
		return Number
	}
	return Invalid
}

func (c *checker) array(s *Shape) error {
	if err := c.enter(step{}); err != nil {
		return err
	}
	most := c.mostItems()
	for n := 0; ; n++ {
		if c.space(); n == 0 && c.take(']') {
			break
		}
		if n == most {
			c.path = c.path[:len(c.path)-1]
			return c.syntax("must hold at most %d items", most)
		}
		c.path[len(c.path)-1].index = n
		if err := c.check(s.item); err != nil {
			return err
		}
		if c.space(); c.take(']') {
			break
		}
		if !c.take(',') {
			return c.unexpected("',' or ']'")
		}
	}
	c.path = c.path[:len(c.path)-1]
	return nil
}

// seen are the keys of one object.
type seen struct {
	known [maxFields / 64]uint64 // by the index of the field
	other keys                   // all of a map's; those of a struct that it has not
}

func (s *seen) again(index int) bool {
	word, bit := &s.known[index/64], uint64(1)<<(index%64)
	was := *word&bit != 0
	*word |= bit
	return was
}

func (c *checker) object(s *Shape) error {
	if err := c.enter(step{index: -1}); err != nil {
		return err
	}
	var before seen
	for first := true; ; first = false {
		if c.space(); first && c.take('}') {
			break
		}
		if err := c.member(s, &before); err != nil {
			return err
		}
		if c.space(); c.take('}') {
			break
		}
		if !c.take(',') {
			return c.unexpected("',' or '}'")
		}
	}
	c.path = c.path[:len(c.path)-1]
	return nil
}

func (c *checker) member(s *Shape, before *seen) error {
	at := &c.path[len(c.path)-1]
	at.key = ""
	if c.pos == len(c.in) || c.in[c.pos] != '"' {
		return c.unexpected("a key in double quotes")
	}
	f := c.knownKey(s)
	var value *Shape
	if f != nil {
		at.key, value = f.name, f.shape
		if before.again(f.index) {
			if err := c.fault(c.where(), "the key is there twice"); err != nil {
				return err
			}
		}
	} else {
		var err error
		if value, err = c.otherKey(s, before); err != nil {
			return err
		}
	}
	if c.space(); !c.take(':') {
		return c.unexpected("':'")
	}
	c.space()
	if value == nil { // not known: it is told already, and what is in it is looked at for its own sake
		_, err := c.value()
		return err
	}
	return c.check(value)
}

// knownKey reads the key if it is that of a field, as everybody writes it.
func (c *checker) knownKey(s *Shape) *field {
	rest := c.in[c.pos+1:]
	for i, b := range rest[:min(len(rest), 64)] {
		if b == '"' {
			f := s.fields[string(rest[:i])]
			if f != nil {
				c.pos += i + 2
			}
			return f
		}
	}
	return nil
}

// otherKey reads a key: of a map, or one that a struct has not, or one that is
// written with escapes. The shape is that of its value; nil: not known.
func (c *checker) otherKey(s *Shape, before *seen) (*Shape, error) {
	at := &c.path[len(c.path)-1]
	key, err := c.string(func() string { return c.parent() + " (a key)" })
	if err != nil {
		return nil, err
	}
	at.key = key
	f := s.fields[key]
	what := ""
	twin, again := "", false
	if f != nil {
		again, twin = before.again(f.index), key
	} else {
		twin, again = before.other.add(key)
	}
	switch near := s.near(key); {
	case again && twin == key:
		what = "the key is there twice"
	case again:
		what = "the key differs from another one, " + pathKey(twin) + ", in case only"
	case f != nil, s.fields == nil:
	case near != "":
		what = "is written " + near
	default:
		what = strings.ReplaceAll(c.unknown, "%s", quotedKey(key))
	}
	if what != "" {
		err = c.fault(c.where(), what)
	}
	switch {
	case f != nil:
		return f.shape, err
	case s.fields == nil:
		return s.item, err
	}
	return nil, err
}

// quotedKey is how a message calls a key.
func quotedKey(key string) string {
	if k := pathKey(key); k[0] == '[' {
		return strings.Trim(k, "[]")
	}
	return strconv.Quote(key)
}

// near is the field that key differs from in case only.
func (s *Shape) near(key string) string {
	for _, name := range s.names {
		if strings.EqualFold(name, key) {
			return name
		}
	}
	return ""
}

// text reads a string; one without anything odd in it is only passed over.
func (c *checker) text(s *Shape) error {
	for i := c.pos + 1; !s.time && i < len(c.in); i++ {
		switch b := c.in[i]; {
		case b == '"':
			c.pos = i + 1
			return nil
		case b == '\\', b < ' ', b >= utf8.RuneSelf:
			i = len(c.in)
		}
	}
	text, err := c.string(c.where)
	if err != nil || !s.time {
		return err
	}
	if new(time.Time).UnmarshalText([]byte(text)) != nil {
		return c.fault(c.where(), "must be a time (RFC 3339)")
	}
	return nil
}

func (c *checker) number(s *Shape) error {
	before := len(c.faults)
	v, err := c.parser.number()
	if err != nil || s.bits == 0 || len(c.faults) > before {
		return err
	}
	if s.unsigned {
		_, err = strconv.ParseUint(v.text, 10, s.bits)
	} else {
		_, err = strconv.ParseInt(v.text, 10, s.bits)
	}
	if err != nil {
		return c.fault(c.where(), "must be a whole number that fits")
	}
	return nil
}
