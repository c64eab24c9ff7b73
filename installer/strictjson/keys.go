package strictjson

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// keys finds keys of one object that are equal under Unicode case folding,
// which is how encoding/json compares them.
type keys struct {
	few  []string
	many map[string]string // folded → as written, once there are more than a few
}

const fewKeys = 12

// add notes key and returns an earlier one that it folds together with.
func (k *keys) add(key string) (string, bool) {
	if k.many == nil {
		for _, old := range k.few {
			if strings.EqualFold(old, key) {
				return old, true
			}
		}
		if k.few = append(k.few, key); len(k.few) > fewKeys {
			k.many = make(map[string]string, 2*fewKeys)
			for _, old := range k.few {
				k.many[fold(old)] = old
			}
		}
		return "", false
	}
	folded := fold(key)
	if old, found := k.many[folded]; found {
		return old, true
	}
	k.many[folded] = key
	return "", false
}

// fold maps equal-folding strings to one.
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		if r < utf8.RuneSelf {
			if 'a' <= r && r <= 'z' {
				r -= 'a' - 'A'
			}
			return r
		}
		least := r
		for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
			least = min(least, next)
		}
		return least
	}, s)
}

// Join is the path of a key in the object at path.
func Join(path, key string) string {
	k := pathKey(key)
	if path == "" || k[0] == '[' {
		return path + k
	}
	return path + "." + k
}

// Index is the path of an item of the array at path.
func Index(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// pathKey makes a key safe to show: keys come from outside too.
func pathKey(key string) string {
	const longest = 64
	plain := key != "" && len(key) <= longest
	for i := 0; plain && i < len(key); i++ {
		c := key[i]
		plain = c == '_' || c == '-' || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
	}
	if plain {
		return key
	}
	if len(key) > longest {
		key = strings.ToValidUTF8(key[:longest], "") + "…"
	}
	return "[" + strconv.QuoteToASCII(key) + "]"
}
