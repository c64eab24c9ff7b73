// Package strictjson reads JSON the way a vault should: whatever two readers
// could understand differently is a fault.
//
// encoding/json takes the last of two equal keys, lets "IP" override "ip",
// ignores data after the document and null, and replaces bad UTF-8 and lone
// surrogates by U+FFFD, inside passwords too. All of that is refused here, and
// every fault is told at once, by its JSON path and never by its value.
package strictjson

import (
	"errors"

	"tripod/installer"
)

// Options bound what is read. Zero fields mean their defaults.
type Options struct {
	// Path is the path of the document itself, put before every other one.
	// Default: none, and "document" where the document as a whole is meant.
	Path string
	// MaxDepth is how deep arrays and objects may nest. Default 32.
	MaxDepth int
	// MaxValues is how many values, all levels together, the document may
	// hold. Default 100,000.
	MaxValues int
	// MaxItems is how many items the lists that are fields of the document may
	// have, by the field's name. Reading stops at the first one beyond. Others
	// have no bound of their own.
	MaxItems map[string]int
}

// maxFaults is where reading stops: nobody reads more, and a body full of
// faults must not cost more to refuse than a good one to read.
const maxFaults = 100

func (o Options) withDefaults() Options {
	if o.MaxDepth == 0 {
		o.MaxDepth = 32
	}
	if o.MaxValues == 0 {
		o.MaxValues = 100_000
	}
	return o
}

// Parse reads a document into a tree, and tells everything that is wrong with
// it whatever it should hold: syntax, bad UTF-8, a byte order mark, NUL, keys
// that are there twice or differ in case only, halves of surrogate pairs,
// numbers out of range, depth, size, data after the document. What it should
// hold is for Fields to check.
//
// After a fault in the syntax the tree is the zero Value; after any other one
// it is whole, so that the caller can look for more faults.
func Parse(raw []byte, o Options) (Value, installer.Faults) {
	p := parser{in: raw, o: o.withDefaults()}
	v, err := p.document()
	switch {
	case errors.Is(err, errTooMany):
		p.faults.Add(root(o.Path), "too many faults; the rest is not shown")
	case err != nil:
		return Value{}, p.faults
	}
	return v, p.faults
}

// root is how the document as a whole is called.
func root(path string) string {
	if path == "" {
		return "document"
	}
	return path
}
