package control

import (
	"cmp"
	"fmt"
	"strings"
	"unicode/utf8"

	"tripod/installer"
	"tripod/installer/privkey"
)

// wireHosts are hosts with their logins. Many share one: each is sent once, and named
// by its index. Only the client encodes them.
type wireHosts struct {
	Logins []wireLogin `json:"logins,omitempty"`
	Hosts  []wireHost  `json:"hosts,omitempty"`
}

// wireHost is an installer.HostEntry.
type wireHost struct {
	Where string         `json:"where,omitempty"`
	Host  installer.Host `json:"host"`
	wireCredentials
}

// wireCredentials are indexes into the logins; nil: none.
type wireCredentials struct {
	Login *int  `json:"login,omitempty"`
	Sudo  *int  `json:"sudo,omitempty"` // its password
	Via   []int `json:"via,omitempty"`
}

type wireLogin struct {
	Password   string `json:"password,omitempty"`
	PrivateKey string `json:"private_key,omitempty"`
	Passphrase string `json:"passphrase,omitempty"`
}

// packer collects logins, each once.
type packer struct {
	logins []wireLogin
	at     map[wireLogin]int
}

func (p *packer) login(l installer.Login) int {
	w := wireLogin{l.Password.Reveal(), l.PrivateKey.Reveal(), l.Passphrase.Reveal()}
	if i, ok := p.at[w]; ok {
		return i
	}
	if p.at == nil {
		p.at = map[wireLogin]int{}
	}
	p.logins = append(p.logins, w)
	p.at[w] = len(p.logins) - 1
	return len(p.logins) - 1
}

func (p *packer) credentials(c installer.Credentials) (w wireCredentials) {
	if c.Login != (installer.Login{}) {
		w.Login = new(p.login(c.Login))
	}
	if !c.SudoPassword.IsZero() {
		w.Sudo = new(p.login(installer.Login{Password: c.SudoPassword}))
	}
	for _, l := range c.Via {
		w.Via = append(w.Via, p.login(l))
	}
	return w
}

func (p *packer) hosts(entries []installer.HostEntry) []wireHost {
	hosts := make([]wireHost, len(entries))
	for i, e := range entries {
		hosts[i] = wireHost{cut(e.Where), e.Host, p.credentials(e.Credentials)}
	}
	return hosts
}

// cut shortens what is for people alone to what the routes take.
func cut(text string) string {
	if r := []rune(text); len(r) > installer.MaxText {
		return string(r[:installer.MaxText-1]) + "…"
	}
	return text
}

// unpacker is the other direction. It shares one Secret among all that have it.
type unpacker struct {
	logins []installer.Login
	faults installer.Faults
}

func newUnpacker(wire []wireLogin) *unpacker {
	u := &unpacker{logins: make([]installer.Login, len(wire))}
	for i, w := range wire {
		u.lengths(i, w)
		u.logins[i] = installer.Login{
			Password:   installer.NewSecret(w.Password),
			PrivateKey: installer.NewSecret(w.PrivateKey),
			Passphrase: installer.NewSecret(w.Passphrase),
		}
	}
	return u
}

// lengths: a login is held to what one of a hosts file is. Whether a key is one
// is seen when it is used: to open a key can cost a second.
func (u *unpacker) lengths(i int, w wireLogin) {
	if utf8.RuneCountInString(w.Password) > installer.MaxPassword {
		u.faults.Add(fmt.Sprintf("logins[%d].password", i), "must have at most %d characters", installer.MaxPassword)
	}
	if utf8.RuneCountInString(w.Passphrase) > installer.MaxPassword {
		u.faults.Add(fmt.Sprintf("logins[%d].passphrase", i), "must have at most %d characters", installer.MaxPassword)
	}
	if len(w.PrivateKey) > privkey.MaxText {
		u.faults.Add(fmt.Sprintf("logins[%d].private_key", i), "must have at most %d bytes", privkey.MaxText)
	}
}

func (u *unpacker) login(where string, i int) installer.Login {
	if i < 0 || i >= len(u.logins) {
		u.faults.Add(where, "is no index of logins")
		return installer.Login{}
	}
	return u.logins[i]
}

func (u *unpacker) credentials(where string, w wireCredentials) (c installer.Credentials) {
	if w.Login != nil {
		c.Login = u.login(where+".login", *w.Login)
	}
	if w.Sudo != nil {
		c.SudoPassword = u.login(where+".sudo", *w.Sudo).Password
	}
	for i, n := range w.Via {
		c.Via = append(c.Via, u.login(fmt.Sprintf("%s.via[%d]", where, i), n))
	}
	return c
}

// hosts are checked as those of a hosts file are.
func (u *unpacker) hosts(wire []wireHost) []installer.HostEntry {
	entries := make([]installer.HostEntry, len(wire))
	for i, w := range wire {
		at := fmt.Sprintf("hosts[%d]", i)
		if what := installer.TextFault(w.Where); what != "" {
			u.faults.Add(at+".where", "%s", what)
		}
		at = cmp.Or(w.Where, at)
		entries[i] = u.entry(at, w, installer.Within(at))
	}
	return entries
}

func (u *unpacker) entry(where string, w wireHost, at installer.At) installer.HostEntry {
	e := installer.HostEntry{Where: w.Where, Host: w.Host, Credentials: u.credentials(where, w.wireCredentials)}
	u.faults = append(u.faults, e.Host.Validate(at)...)
	if n := len(w.Via); n > 0 && n != len(w.Host.Via) {
		u.faults.Add(where+".via", "must have one login for each hop")
	}
	return e
}

// forAllFields are those of a host that stands for all: who logs in, and over which hops.
func forAllFields(field string) string {
	if strings.HasPrefix(field, "via") {
		return "for_all." + field
	}
	return ""
}
