package control

import (
	"bytes"
	"encoding/json"
	"reflect"
	"regexp"
	"sync"

	"tripod/installer"
	"tripod/installer/strictjson"
)

// Bounds of what is decoded. They are looked at before anything is made of the
// body: a megabyte of "{}," would be many of structs.
const (
	// maxLogins of one body: an item has one, sudo's, and one for each hop.
	maxLogins = 10 * maxItems
	// maxNested is how many entries a list within a list has: the longest that is
	// good has namedMost.
	maxNested = 256
	// maxNestedAll is how many entries all those lists of one body have together:
	// 50 for each item, where a way of maxHops with its logins has 16.
	maxNestedAll = 50 * maxItems
	// maxDepth of arrays and objects in each other.
	maxDepth = 16
)

// newerClient is what is said of a field that is not known here: the routes are
// for the client of the same version.
const newerClient = `unknown field %s: is the client newer than the daemon?`

// shapes of what is decoded, by type.
var shapes sync.Map

func shapeOf(into any) *strictjson.Shape {
	t := reflect.TypeOf(into)
	if s, known := shapes.Load(t); known {
		return s.(*strictjson.Shape)
	}
	s, _ := shapes.LoadOrStore(t, strictjson.ShapeOf(into))
	return s.(*strictjson.Shape)
}

// decode reads a body. What two readers could understand differently is refused,
// and so is what encoding/json would leave out or replace: it is told by its path.
// The error names no value: it may be a secret.
func decode(body []byte, into any) error {
	if fault := tooMany(body); fault != nil {
		return fault
	}
	if faults := strictjson.Check(body, shapeOf(into), newerClient, strictjson.Options{}); len(faults) > 0 {
		return faults
	}
	if err := json.Unmarshal(body, into); err != nil {
		return installer.Faults{{Where: "body", What: "is not the JSON that is defined here: is the client of another version?"}}
	}
	return nil
}

// tooMany finds a list or an object with more entries than any good body has.
// It reads no further than to there, and keeps nothing. What is no JSON it
// leaves to the decoder.
func tooMany(body []byte) error {
	var entries [maxDepth + 1]int // commas, by depth
	var lists [maxDepth + 1]bool  // and whether that is a list
	var key []byte                // of the body's own object
	depth, nested := 0, 0
	for i := 0; i < len(body); i++ {
		switch body[i] {
		case '"':
			from := i + 1
			if i = stringEnd(body, from); i < 0 {
				return nil
			}
			if depth == 1 && isKey(body[i+1:]) {
				key = body[from:i]
			}
		case '{', '[':
			if depth++; depth > maxDepth {
				return refuseEntries(key, "is nested more than %d deep", maxDepth)
			}
			entries[depth], lists[depth] = 0, body[i] == '['
		case '}', ']':
			if depth--; depth < 0 {
				return nil
			}
		case ',':
			entries[depth]++
			if most := mostEntries(depth, key); entries[depth] >= most {
				return refuseEntries(key, "has more than %d entries", most)
			}
			if depth > 2 && lists[depth] {
				if nested++; nested >= maxNestedAll {
					return refuseEntries(key, "has more than %d entries in its lists", maxNestedAll)
				}
			}
		}
	}
	return nil
}

// mostEntries is how many a list or an object at this depth may have.
func mostEntries(depth int, key []byte) int {
	switch {
	case depth == 2 && bytes.Equal(key, []byte("logins")):
		return maxLogins
	case depth == 2:
		return maxItems
	}
	return maxNested
}

// stringEnd is where the string that begins at i has its closing quote; -1: nowhere.
func stringEnd(body []byte, i int) int {
	for ; i < len(body); i++ {
		switch body[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return -1
}

// isKey: a colon follows.
func isKey(rest []byte) bool {
	rest = bytes.TrimLeft(rest, " \t\r\n")
	return len(rest) > 0 && rest[0] == ':'
}

var plainKey = regexp.MustCompile(`^[a-z_]{1,32}$`)

func refuseEntries(key []byte, format string, n int) error {
	where := "body"
	if plainKey.Match(key) {
		where = string(key)
	}
	var faults installer.Faults
	faults.Add(where, format, n)
	return faults
}
