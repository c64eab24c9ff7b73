// Package strictjson refuses the JSON that jsontext lets through though two
// readers could understand it differently, and tells all faults of a document
// at once: each by its path, none by a value, which may be a password.
package strictjson

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"tripod/installer"
)

// Limits of what is read.
type Limits struct {
	Depth  int // of arrays and objects in each other
	NoNull bool
	// Item says what is wrong with one more value, or "". It is the n-th of the
	// array or object that it is in, depth deep in that field of the document.
	Item func(field string, in jsontext.Kind, depth, n int) string
}

// maxFaults is where reading stops: nobody reads more, and a body full of
// faults must not cost more to refuse than a good one to read.
const maxFaults = 100

// Lenient lets jsontext read what Check tells faults of.
var Lenient = json.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))

// Check adds to faults what is wrong with a document whatever it should hold,
// and reports whether it is JSON within the limits, in which more can be found.
func Check(raw []byte, limits Limits, faults *installer.Faults) bool {
	c := checker{limits: limits}
	err := c.document(raw, jsontext.AllowInvalidUTF8(true))
	if errors.Is(err, jsontext.ErrDuplicateName) { // from the start, to tell of every one
		c = checker{limits: limits, names: make([]map[string]bool, limits.Depth+1)}
		err = c.document(raw, Lenient)
	}
	if err != nil && err != errStop {
		err = c.broken(raw, err)
	}
	*faults = append(*faults, c.faults...)
	return err == nil
}

var errStop = errors.New("told already")

type checker struct {
	*jsontext.Decoder
	limits Limits
	faults installer.Faults
	names  []map[string]bool // of the objects around, by depth; nil: the decoder looks after them
	field  string            // of the document: the one being read
	text   []byte            // the last string
}

func (c *checker) document(raw []byte, o json.Options) error {
	c.Decoder = jsontext.NewDecoder(bytes.NewBuffer(raw), o)
	err := c.next()
	for err == nil && c.StackDepth() > 0 {
		err = c.next()
	}
	if err != nil {
		return err
	}
	if _, err = c.ReadToken(); err != io.EOF {
		return c.stop("", "has data after its end")
	}
	return nil
}

// broken tells where the text is no JSON. What is there is not shown.
func (c *checker) broken(raw []byte, err error) error {
	at, ok := errors.AsType[*jsontext.SyntacticError](err)
	switch {
	case !ok:
		return c.stop("", "is empty")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return c.stop(at.JSONPointer, "ends too early")
	case bytes.HasPrefix(raw, []byte("\xef\xbb\xbf")):
		return c.stop("", "begins with a byte order mark: save it as plain UTF-8")
	}
	before, why := raw[:at.ByteOffset], ""
	if raw[at.ByteOffset] < ' ' {
		why = ": a control character in a string must be escaped"
	}
	return c.stop(at.JSONPointer, fmt.Sprintf("is not JSON at line %d, column %d%s",
		1+bytes.Count(before, []byte{'\n'}), len(before)-bytes.LastIndexByte(before, '\n'), why))
}

// next reads a value, a name, or the end of an array or object.
func (c *checker) next() error {
	kind, depth := c.PeekKind(), c.StackDepth()
	what, err := c.read(kind)
	if err != nil || kind == jsontext.KindEndObject || kind == jsontext.KindEndArray {
		return err
	}
	in, n := c.StackIndex(depth)
	switch isName := in == jsontext.KindBeginObject && n%2 == 1; {
	case isName && c.again(depth, n == 1):
		what = "the key is there twice"
	case isName:
	case c.StackDepth() > c.limits.Depth:
		return c.stop(c.StackPointer(), fmt.Sprintf("is nested more than %d deep", c.limits.Depth))
	case depth > 0 && c.limits.Item != nil:
		if in == jsontext.KindBeginObject {
			n /= 2
		}
		if wrong := c.limits.Item(c.field, in, depth, int(n)); wrong != "" {
			return c.stop(c.StackPointer().Parent(), wrong)
		}
	}
	if what != "" && len(c.faults) == maxFaults {
		return c.stop("", "too many faults; the rest is not shown")
	} else if what != "" {
		_ = c.stop(c.StackPointer(), what)
	}
	return nil
}

// read reads what is next and says what is wrong with it by itself.
func (c *checker) read(kind jsontext.Kind) (string, error) {
	if kind != jsontext.KindString {
		token, err := c.ReadToken()
		if err == nil && kind == jsontext.KindNumber {
			if _, wide := token.Float(); wide != nil {
				return "the number is out of range", nil
			}
		} else if kind == jsontext.KindNull && c.limits.NoNull {
			return "must not be null", err
		}
		return "", err
	}
	raw, err := c.ReadValue()
	if err != nil {
		return "", err
	}
	if c.text, err = jsontext.AppendUnquote(c.text[:0], raw); err != nil {
		return "holds bytes that are not UTF-8, or one half of a surrogate pair", nil
	} else if bytes.IndexByte(c.text, 0) >= 0 {
		return "holds a NUL character", nil
	}
	return "", nil
}

// again notes the name that was read, and reports whether it was there before.
func (c *checker) again(depth int, first bool) bool {
	if depth == 1 {
		c.field = string(c.text)
	}
	if c.names == nil {
		return false
	}
	if first {
		c.names[depth] = map[string]bool{}
	}
	before := len(c.names[depth])
	c.names[depth][string(c.text)] = true
	return len(c.names[depth]) == before
}

func (c *checker) stop(at jsontext.Pointer, what string) error {
	c.faults.Add(Path(c.Decoder, at), "%s", what)
	return errStop
}

// Path is how messages call a place that the decoder is, or has just been, at.
func Path(d *jsontext.Decoder, at jsontext.Pointer) (path string) {
	depth := 0
	for token := range at.Tokens() {
		depth++
		if in, _ := d.StackIndex(min(depth, d.StackDepth())); in == jsontext.KindBeginArray {
			path += "[" + token + "]"
		} else {
			path = Join(path, token)
		}
	}
	return cmp.Or(path, "document")
}

// Join is the path of a key in the object at path. Keys come from outside too,
// and are made safe to show.
func Join(path, key string) string {
	odd := func(r rune) bool {
		return r != '_' && r != '-' && (r < '0' || r > '9') && (r|0x20 < 'a' || r|0x20 > 'z')
	}
	if key == "" || len(key) > 64 || strings.ContainsFunc(key, odd) {
		return path + "[" + strconv.QuoteToASCII(fmt.Sprintf("%.64s", key)) + "]"
	}
	return strings.TrimPrefix(path+"."+key, ".")
}
