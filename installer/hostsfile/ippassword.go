package hostsfile

import (
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"tripod/installer"
	"tripod/installer/lazyregexp"
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
// would be sent to the host as root's password. Each doubt is reported once.
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
	another := func(e installer.HostEntry) bool {
		return e.Credentials.Password.Reveal() != first.Credentials.Password.Reveal()
	}
	if len(c.entries) > 1 && !slices.ContainsFunc(c.entries, another) {
		tell(first.Where, "the same word follows the comma on every line: "+addHeader+"; a password that all hosts have can be given with --password-file")
		return
	}
	for _, e := range c.entries {
		if what := otherMeaning(e.Credentials.Password.Reveal(), filepath.Base(c.name) == agentsList); what != "" {
			tell(e.Where, what)
		}
	}
}

// otherMeanings are what text after the comma looks like, and what to do.
var otherMeanings = []struct {
	form lazyregexp.Regexp
	says string
}{
	{
		lazyregexp.New(`^\s*(\S*@)?\d{1,3}\.(\d{1,3}|[\[{*]\S*)\.|^\s*\[?[[:xdigit:]]{0,4}(:[[:xdigit:]]{0,4}){2}|[\[{]\w+(-|\.\.)\w+[\]}]`),
		"an address follows the comma: write one host on each line",
	},
	{lazyregexp.New(`,`), "there is a second comma, as in CSV without a header: " + addHeader},
	{lazyregexp.New(`\t`), "a tab follows the comma: put commas between the columns, and " + addHeader},
	{lazyregexp.New(`^".*"$|^'.*'$`), "what follows the comma stands in quotes, as in CSV without a header: " + addHeader},
	{lazyregexp.New(`^[a-z][a-z0-9_-]*[:;|]`), "a user may stand before the password: " + addHeader},
	{lazyregexp.New(`\s(#|//)`), "what follows the comma may have a comment at its end: take it off"},
	{lazyregexp.New(`(^|\s)(ssh|ecdsa|sk)-\w+-?\w* |(^|\s)ssh-\w+|^(SHA256|MD5):|-----BEGIN`), "a key or a fingerprint follows the comma: " + addHeader + " or address,key"},
	{lazyregexp.New(`^(~|\.{0,2})/|^[A-Za-z]:\\`), "a file's path follows the comma: " + addHeader + " or address,key"},
	{lazyregexp.New(`^\$\{?\w+\}?$|\{\{|^<.*>$|^([*.?x_-]+)$`), "a placeholder follows the comma: put the password in its place"},
}

// otherMeaning says what the text after the comma may be in place of a password, and
// what to do; or "". A list that can be nothing else may hold plain words.
func otherMeaning(text string, plainWords bool) string {
	for _, m := range otherMeanings {
		if m.form.MatchString(text) {
			return m.says
		}
	}
	switch {
	case strings.TrimFunc(text, isInvisible) != text:
		return "a blank or an invisible character begins or ends what follows the comma: take it off"
	case !plainWords && strings.ContainsFunc(text, isInvisible):
		return "words with blanks between them follow the comma, as in a note: " + addHeader
	case !plainWords && mayBeName(text):
		return "what follows the comma may be a name, a port or a label: " + addHeader + " or address,name"
	}
	return ""
}

func isInvisible(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }

// mayBeName: users, hosts, ports, labels and ids have few marks, and are written in
// one case, or with a capital at the beginning, where they have none.
func mayBeName(text string) bool {
	const marks = "._-:/"
	if _, domain, found := strings.Cut(text, "@"); found && !strings.ContainsRune(domain, '.') {
		return false
	}
	foreign := func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune(marks+"=;@", r)
	}
	lower := strings.ToLower(text)
	capital := text[1:] == lower[1:] && !strings.ContainsFunc(text, unicode.IsDigit)
	return !strings.ContainsFunc(text, foreign) && (strings.ContainsAny(text, marks) || capital || text == lower || text == strings.ToUpper(text))
}
