package installer

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strings"
)

// maxHostKey bounds a pin: the longest key there is has some 3 KiB.
const maxHostKey = 16 << 10

// ParseHostKey brings a pin into the form that Endpoint.HostKey has: a public key
// without its comment, or a SHA256: fingerprint. Errors do not quote the text.
func ParseHostKey(text string) (string, error) {
	if len(text) > maxHostKey {
		return "", errors.New("is longer than 16 KiB")
	}
	if digest, found := strings.CutPrefix(text, "SHA256:"); found {
		sum, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(digest, "="))
		if err != nil || len(sum) != 32 {
			return "", errors.New("is not a SHA256: fingerprint as ssh-keygen -l prints it")
		}
		return "SHA256:" + base64.RawStdEncoding.EncodeToString(sum), nil
	}
	words := strings.Fields(text)
	if len(words) < 2 || strings.ContainsAny(strings.TrimSpace(text), "\r\n") || !isPublicKey(words[0], words[1]) {
		return "", errors.New("is neither a public key like \"ssh-ed25519 AAAA…\" nor a SHA256: fingerprint")
	}
	return words[0] + " " + words[1], nil
}

// isPublicKey: the key is whole, and of the kind that stands before it. On the wire
// a key is its kind and its numbers, each with its length before it.
func isPublicKey(kind, key string) bool {
	wire, err := base64.StdEncoding.DecodeString(key)
	parts := 0
	for ; err == nil && len(wire) >= 4; parts++ {
		n := binary.BigEndian.Uint32(wire)
		if wire = wire[4:]; uint64(n) > uint64(len(wire)) {
			return false
		}
		if parts == 0 && string(wire[:n]) != kind {
			return false
		}
		wire = wire[n:]
	}
	return err == nil && len(wire) == 0 && parts > 1
}
