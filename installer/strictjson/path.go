package strictjson

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

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
