package hostsfile

import (
	"net/netip"
	"path/filepath"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"tripod/installer"
)

// ipPassword reads IP,password lines. The line end (LF or CR LF) is not part
// of the password; everything else after the first comma is.
func (c *collector) ipPassword(text []byte) {
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
		if trimmed := strings.TrimSpace(line); trimmed == "" || trimmed[0] == '#' {
			continue
		}
		ip, password, found := strings.Cut(line, ",")
		if !found {
			c.fault(n, "", "there is no comma: each line is IP,password")
			continue
		}
		addr, err := netip.ParseAddr(strings.TrimSpace(ip))
		if err != nil || addr.Zone() != "" {
			c.fault(n, "ip", "the part before the comma must be an IP address; host names and users can be given in CSV with a header")
			continue
		}
		what := passwordFault(password)
		if password == "" {
			what = "the password is empty"
		}
		if what != "" {
			c.fault(n, "password", "%s", what)
			continue
		}
		e := installer.HostEntry{Where: c.where(n), HasSecret: true}
		e.Host.Endpoint = installer.Endpoint{Address: addr.Unmap().String(), Port: c.d.Port, User: "root"}
		e.Credentials.Password = installer.NewSecret(password)
		c.add(e, nil)
	}
}

func passwordFault(password string) string {
	switch {
	case utf8.RuneCountInString(password) > installer.MaxPassword:
		return "must have at most 3000 characters"
	case strings.ContainsAny(password, "\r\n"):
		return "holds a line break: is a quote missing?"
	}
	return ""
}

const (
	addHeader = "put a header above the first line, such as address,user,password"
	// agentsList is what the agent's own batch script names its IP,password file.
	agentsList = "iplist.txt"
	elseName   = "; if it is root's password on every line, give --format ip-password"
)

// doubt finds what else recognised IP,password lines may mean: what follows the comma
// would be sent to the host as root's password. Each doubt is told once.
func (c *collector) doubt() {
	if len(c.entries) == 0 {
		return
	}
	first := c.entries[0]
	told := map[string]bool{}
	tell := func(where, what string) {
		if !told[what] {
			c.faultAt(where, "%s%s", what, elseName)
		}
		told[what] = true
	}
	switch strings.ToLower(filepath.Ext(c.name)) {
	case ".csv", ".tsv":
		tell(first.Where, "the file is named as a table and has no header: "+addHeader)
	}
	if !c.d.Login.PrivateKey.IsZero() {
		tell(first.Where, "a key is given by flag, but each line would bring a password: write one host on each line, or "+addHeader)
	}
	if !c.d.Login.Password.IsZero() {
		tell(first.Where, "a password is given by flag, but each line would bring its own: write one host on each line, or "+addHeader)
	}
	if c.d.User != "root" {
		tell(first.Where, "another user than root is given by flag, but the lines would be root's: "+addHeader)
	}
	word := first.Credentials.Password.Reveal()
	same, names := len(c.entries) > 1, filepath.Base(c.name) != agentsList
	for _, e := range c.entries {
		password := e.Credentials.Password.Reveal()
		if what := otherMeaning(password); what != "" {
			tell(e.Where, what)
		}
		same = same && password == word
		names = names && mayBeName(password)
	}
	switch {
	case len(told) > 0:
	case same:
		tell(first.Where, "the same word follows the comma on every line: "+addHeader+"; a password that all hosts have can be given with --password-file")
	case names:
		tell(first.Where, "what follows the comma may be a name, a port or a label on every line: "+addHeader+" or address,name")
	}
}

// hostLike begins as an address, a range of them or a MAC address does.
var hostLike = regexp.MustCompile(`^\s*(\S*@)?\d{1,3}\.(\d{1,3}|[\[{*]\S*)\.|^\s*\[?[[:xdigit:]]{0,4}(:[[:xdigit:]]{0,4}){2}|[\[{]\w+(-|\.\.)\w+[\]}]`)

// otherMeaning says what the text after the comma may be in place of a
// password, and what to do; or "".
func otherMeaning(text string) string {
	switch {
	case hostLike.MatchString(text):
		return "an address follows the comma: write one host on each line"
	case strings.ContainsRune(text, ','):
		return "there is a second comma, as in CSV without a header: " + addHeader
	case strings.ContainsRune(text, '\t'):
		return "a tab follows the comma: put commas between the columns, and " + addHeader
	case len(text) > 1 && strings.ContainsRune(`"'`, rune(text[0])) && text[0] == text[len(text)-1]:
		return "what follows the comma stands in quotes, as in CSV without a header: " + addHeader
	case strings.Contains(text, " #"):
		return "what follows the comma may have a comment at its end: take it off"
	case strings.TrimFunc(text, isInvisible) != text:
		return "a blank or an invisible character begins or ends what follows the comma: take it off"
	}
	return ""
}

func isInvisible(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }

// mayBeName: users, hosts, ports, labels and ids are written in one case and
// with few marks.
func mayBeName(text string) bool {
	if _, domain, found := strings.Cut(text, "@"); found && !strings.ContainsRune(domain, '.') {
		return false
	}
	foreign := func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("._-:=;/@", r)
	}
	return !strings.ContainsFunc(text, foreign) && (text == strings.ToLower(text) || text == strings.ToUpper(text))
}
