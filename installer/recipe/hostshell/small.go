package hostshell

import (
	"bytes"
)

// File is a small file that is sent in the conversation.
type File struct {
	SHA256 string // in hexadecimal digits
	text   []byte // the assignment of what printf makes the content from; shared by all hosts
}

// maxFormat bounds what a host has to read and to keep of a small file.
const maxFormat = 256 << 10

// NewFile returns nil for content that is too large once it is encoded: that is sent beside the conversation.
func NewFile(sha256 string, content []byte) *File {
	const octal = "01234567"
	var b bytes.Buffer
	b.Grow(len(content) + len(content)/8 + 80)
	b.WriteString("file_" + sha256 + "='")
	for i, c := range content {
		switch {
		case c == '-' && i == 0: // it would be an option
			b.WriteString(`\055`)
		case c == '\n', c == '\t', c >= ' ' && c < 0x7f && c != '%' && c != '\\' && c != '\'':
			b.WriteByte(c)
		case c == '%':
			b.WriteString("%%")
		default:
			b.Write([]byte{'\\', octal[c>>6], octal[c>>3&7], octal[c&7]})
		}
		if b.Len() > maxFormat {
			return nil
		}
	}
	b.WriteString("'\n")
	return &File{SHA256: sha256, text: b.Bytes()}
}
