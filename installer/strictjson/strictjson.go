// Package strictjson rejects JSON that jsontext accepts although two readers could
// understand it differently. It reports all errors of a document at once, each by its
// path and none with a value, which may be a password.
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
	Values int // of the document; 0: any number
	NoNull bool
	// Full says what is wrong with one more value, or "". It keeps no state.
	Full func(Item) string
}

// Item is a value in an array or object.
type Item struct {
	Field    string // of the document: that which it is in
	Depth, N int    // how many arrays and objects are around it, and how many values the innermost has so far
	Values   int    // of the document, so far
	Nested   int    // of them those in arrays that are no field of the document
}

// maxFaults is where reading stops: nobody reads more, and a body full of
// faults must not cost more to refuse than a good one to read.
const maxFaults = 100

// lenient lets jsontext read what Check tells faults of.
var lenient = json.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))

// Check adds to faults what is wrong with a document whatever it should hold,
// and reports whether it is JSON within the limits, in which more can be found.
func Check(raw []byte, limits Limits, faults *installer.Faults) bool {
	c := checker{limits: limits}
	err := c.document(raw, jsontext.AllowInvalidUTF8(true))
	if errors.Is(err, jsontext.ErrDuplicateName) { // from the start, to tell of every one
		c = checker{limits: limits, names: make([]map[string]bool, limits.Depth+1)}
		err = c.document(raw, lenient)
	}
	if at, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		err = c.broken(raw, at)
	}
	*faults = append(*faults, c.faults...)
	return err == nil
}

var errStop = errors.New("reported already")

type checker struct {
	*jsontext.Decoder
	limits Limits
	faults installer.Faults
	names  []map[string]bool // of the objects around, by depth; nil: the decoder looks after them
	last   Item
	text   []byte // the last string
}

func (c *checker) document(raw []byte, o json.Options) error {
	c.Decoder = jsontext.NewDecoder(bytes.NewBuffer(raw), o)
	err := c.next()
	for err == nil && c.StackDepth() > 0 {
		err = c.next()
	}
	if errors.Is(err, io.EOF) {
		return c.stop("", "is empty")
	} else if err != nil {
		return err
	}
	if _, err = c.ReadToken(); !errors.Is(err, io.EOF) {
		return c.stop("", "has data after its end")
	}
	return nil
}

// broken tells where the text is no JSON. What is there is not shown: what seems
// to be a key may be a password, before its colon has come.
func (c *checker) broken(raw []byte, err *jsontext.SyntacticError) error {
	at, before := err.JSONPointer, raw[:err.ByteOffset]
	if in, n := c.StackIndex(c.StackDepth()); in == jsontext.KindBeginObject && n%2 == 1 && !bytes.Contains(before[c.InputOffset():], []byte{':'}) {
		at = at.Parent()
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return c.stop(at, "ends too early")
	}
	if bytes.HasPrefix(raw, []byte("\xef\xbb\xbf")) {
		return c.stop("", "begins with a byte order mark: save it as plain UTF-8")
	}
	what := fmt.Sprintf("is not JSON at line %d, column %d", 1+bytes.Count(before, []byte{'\n'}), len(before)-bytes.LastIndexByte(before, '\n'))
	if raw[err.ByteOffset] < ' ' {
		what += ": a control character in a string must be escaped"
	}
	return c.stop(at, what)
}

// next reads a value, a name, or the end of an array or object.
func (c *checker) next() error {
	kind, depth := c.PeekKind(), c.StackDepth()
	wrong, err := c.read(kind)
	if err != nil || kind == jsontext.KindEndObject || kind == jsontext.KindEndArray {
		return err
	}
	at := c.StackPointer
	in, n := c.StackIndex(depth)
	switch isName := in == jsontext.KindBeginObject && n%2 == 1; {
	case isName && c.again(depth, n == 1):
		return c.fault(at(), "the key is there twice")
	case isName && wrong != "": // not shown: its colon has not come
		return c.fault(at().Parent(), "has a key that "+wrong)
	case isName:
		return nil
	case c.StackDepth() > c.limits.Depth:
		return c.stop(at(), fmt.Sprintf("is nested more than %d deep", c.limits.Depth))
	}
	if full := c.count(in, depth, int(n)); full != "" {
		return c.stop(at().Parent(), full)
	}
	if wrong == "" {
		return nil
	}
	return c.fault(at(), wrong)
}

func (c *checker) count(in jsontext.Kind, depth, n int) string {
	if depth == 0 {
		return ""
	}
	i := &c.last
	i.Depth, i.N = depth, n
	i.Values++
	if in == jsontext.KindBeginObject {
		i.N = n / 2
	} else if depth > 2 {
		i.Nested++
	}
	switch l := c.limits; {
	case l.Values > 0 && i.Values > l.Values:
		return fmt.Sprintf("has more than %d values", l.Values)
	case l.Full == nil:
		return ""
	default:
		return l.Full(*i)
	}
}

// read reads what is next and says what is wrong with it by itself.
func (c *checker) read(kind jsontext.Kind) (what string, err error) {
	if kind != jsontext.KindString && kind != jsontext.KindNumber {
		if _, err = c.ReadToken(); kind == jsontext.KindNull && c.limits.NoNull {
			what = "must not be null"
		}
		return what, err
	}
	raw, err := c.ReadValue()
	if err != nil {
		return "", err
	}
	if kind == jsontext.KindNumber {
		_, err = strconv.ParseFloat(string(raw), 64)
	} else {
		c.text, err = jsontext.AppendUnquote(c.text[:0], raw)
	}
	switch {
	case err != nil && kind == jsontext.KindNumber:
		what = "the number is out of range"
	case err != nil:
		what = "holds bytes that are not UTF-8, or one half of a surrogate pair"
	case kind == jsontext.KindString && bytes.IndexByte(c.text, 0) >= 0:
		what = "holds a NUL character"
	}
	return what, nil
}

// again notes the name that was read, and reports whether it was there before.
func (c *checker) again(depth int, first bool) bool {
	if depth == 1 {
		c.last.Field = string(c.text)
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

func (c *checker) fault(at jsontext.Pointer, what string) error {
	if len(c.faults) == maxFaults {
		return c.stop("", "too many faults; the rest is not shown")
	}
	_ = c.stop(at, what)
	return nil
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

// Index is the path of an item of the array at path.
func Index(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }
