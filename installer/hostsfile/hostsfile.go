// Package hostsfile reads the files that name the hosts of a batch, in every format of
// docs/hosts-files.md.
//
// The files come from people and other programs, and many hold the passwords of a whole
// fleet. So all errors are reported at once, with their lines, before anything is
// dialled; a line that cannot be understood is never quoted, since it may be a password;
// and no format is guessed where a guess could send a password to the wrong host.
package hostsfile

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"

	"tripod/installer"
)

// Bounds of one file.
const (
	MaxSize  = 64 << 20 // bytes
	MaxHosts = 100_000  // after expanding ranges
)

type Format string

// The formats. FormatAuto recognises the other ones.
const (
	FormatAuto       Format = "auto"
	FormatList       Format = "list"
	FormatIPPassword Format = "ip-password"
	FormatCSV        Format = "csv"
	FormatJSON       Format = "json"
)

var Formats = []Format{FormatAuto, FormatList, FormatIPPassword, FormatCSV, FormatJSON}

// Defaults fill in what the file leaves out.
type Defaults struct {
	Project string // default installer.DefaultProject; host ids are derived from it
	User    string // default "root"
	Port    uint16 // default 22
	// Login of the hosts that have neither password nor key in the file.
	Login        installer.Login
	SudoPassword installer.Secret
	// Via are the jump hosts of the hosts that have none in the file, first
	// hop first, and ViaLogins their logins in the same order.
	Via       []installer.Endpoint
	ViaLogins []installer.Login
	// ReadFile reads the key files that a CSV names. Default: os.ReadFile.
	ReadFile func(path string) ([]byte, error)
}

// HasSecrets reports whether the file itself holds secrets, so that others
// should not be able to read it.
func HasSecrets(entries []installer.HostEntry) bool {
	return slices.ContainsFunc(entries, func(e installer.HostEntry) bool { return e.HasSecret })
}

// Parse reads a hosts file. Key files that a CSV names are relative to its name's folder.
// The error is an installer.Faults with every fault, or what r failed with.
func Parse(name string, r io.Reader, format Format, d Defaults) ([]installer.HostEntry, error) {
	text, err := io.ReadAll(io.LimitReader(r, MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	c := newCollector(name, d, min(1+bytes.Count(text, []byte{'\n'}), MaxHosts))
	if len(text) > MaxSize {
		c.fileFault("is larger than %d MiB", MaxSize>>20)
		return nil, c.err()
	}
	text, readable := c.readable(text)
	if !readable {
		return nil, c.err()
	}
	named := format != FormatAuto && format != ""
	if !named {
		format = c.recognise(text)
	}
	switch format {
	case "":
		return nil, c.err()
	case FormatList:
		c.list(text)
	case FormatIPPassword:
		if c.ipPassword(text); !named {
			c.doubt()
		}
	case FormatCSV:
		c.csv(text)
	case FormatJSON:
		c.json(text)
	default:
		return nil, fmt.Errorf("read %s: unknown format: use one of %v", name, Formats)
	}
	c.resolveVias()
	if len(c.entries) == 0 && len(c.faults) == 0 {
		c.fileFault("names no hosts")
	}
	if err := c.err(); err != nil {
		return nil, err
	}
	return c.entries, nil
}

// readable takes a byte order mark off, which spreadsheets write, and refuses
// what is no UTF-8 text: in another encoding passwords would be wrong.
func (c *collector) readable(text []byte) ([]byte, bool) {
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	if bytes.HasPrefix(text, []byte("\xff\xfe")) || bytes.HasPrefix(text, []byte("\xfe\xff")) {
		c.fileFault("is in UTF-16: save it as UTF-8")
		return nil, false
	}
	if bytes.IndexByte(text, 0) >= 0 {
		c.fileFault("holds NUL bytes: it is not a text file")
		return nil, false
	}
	if !utf8.Valid(text) {
		n := 0
		for line := range bytes.Lines(text) {
			if n++; !utf8.Valid(line) {
				c.fault(n, "", "holds bytes that are not UTF-8: save the file as UTF-8")
			}
		}
		return nil, false
	}
	return text, true
}
