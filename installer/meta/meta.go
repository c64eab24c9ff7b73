// Package meta reads remote_install_meta, the list of hosts in a REMOTE_INSTALL
// request. The HTTP API and the hosts files share it, so that one file can be
// sent to either.
//
// Whether a host may be connected to (loopback, metadata addresses …) is not
// decided here but on the address that is really dialled.
package meta

import (
	"fmt"
	"net/netip"
	"strconv"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"tripod/installer"
	"tripod/installer/privkey"
)

// Bounds of the API, in characters.
const (
	MaxName     = 128
	MaxUser     = 16
	MaxPassword = 3000
)

// Host is one object of the list, valid.
type Host struct {
	// Where is its JSON path: "remote_install_meta[3]".
	Where string
	Name  string // instance_name, 1–128 characters
	// Address is remote_ip, an IPv4 address in its one usual form.
	Address string
	User    string // user_name, 1–16 characters
	Port    uint16 // 1–65535
	// UsePEM is remote_use_pem: Login holds a private key. Where Login is
	// zero, the project's default key is meant.
	UsePEM bool
	Login  installer.Login
	Known
}

// Options: with the zero value only remote_ip is needed, as in the API's own
// SDKs. What is left out is "", 0 or the zero Login, for the caller to fill in.
type Options struct {
	NeedUser bool
	// Known lets an object also say what hosts files say of known hosts.
	Known bool
}

// Hosts reads a list that strictjson has checked. path is where it stood, as in
// "remote_install_meta". The hosts are valid only if no fault was added; faults
// name paths and never values. The number of hosts is not limited.
func Hosts(items []jsontext.Value, path string, o Options, faults *installer.Faults) []Host {
	hosts := make([]Host, 0, len(items))
	first := make(map[netip.AddrPort]string, len(items))
	keys := make(map[string]error)
	for i, item := range items {
		where := fmt.Sprintf("%s[%d]", path, i)
		fields, ok := FieldsOf(item, where, faults)
		if !ok {
			continue
		}
		host := reader{fields, o, keys}.host(where)
		hosts = append(hosts, host)
		addr, err := netip.ParseAddr(host.Address)
		if err != nil || host.Port == 0 && fields.Has("port") {
			continue // told already
		}
		place := netip.AddrPortFrom(addr, host.Port)
		if before, twice := first[place]; twice {
			faults.Add(where, "is the same address and port as %s", before)
			continue
		}
		first[place] = where
	}
	return hosts
}

// reader reads one object.
type reader struct {
	*Fields
	o Options
	// keys remembers what was said of each private key: many hosts share one.
	keys map[string]error
}

func (r reader) host(where string) Host {
	h := Host{Where: where, Name: r.name(), Address: r.address(), User: r.user(), Port: r.port()}
	h.UsePEM, _ = Read[bool](r.Fields, "remote_use_pem")
	h.Login = r.login(h.UsePEM)
	if r.o.Known {
		h.Known = r.known()
	}
	r.End(true)
	return h
}

func (r reader) name() string {
	name, ok := Read[string](r.Fields, "instance_name")
	switch n := utf8.RuneCountInString(name); {
	case !ok:
	case n < 1 || n > MaxName:
		r.Fault("instance_name", "must have 1 to %d characters, not %d", MaxName, n)
	case hasControl(name):
		r.Fault("instance_name", "holds a control character")
	}
	return name
}

func (r reader) address() string {
	r.Need("remote_ip")
	text, ok := Read[string](r.Fields, "remote_ip")
	if !ok {
		return ""
	}
	addr, err := netip.ParseAddr(text)
	if err != nil || !addr.Is4() {
		r.Fault("remote_ip", "must be an IPv4 address: four numbers of 0 to 255 without leading zeros, with dots between them")
		return ""
	}
	return text
}

func (r reader) user() string {
	if r.o.NeedUser {
		r.Need("user_name")
	}
	user, ok := Read[string](r.Fields, "user_name")
	if ok {
		if what := UserFault(user, MaxUser); what != "" {
			r.Fault("user_name", "%s", what)
		}
	}
	return user
}

// port takes the API's string of digits, and a bare number, which people write.
func (r reader) port() uint16 {
	raw := r.Get("port")
	text := string(raw)
	switch raw.Kind() {
	case jsontext.KindInvalid: // left out
		return 0
	case jsontext.KindString:
		text, _ = Read[string](r.Fields, "port")
	case jsontext.KindNumber:
	default:
		r.Fault("port", "must be a string of digits, not %s", Kinds[raw.Kind()])
		return 0
	}
	port, ok := ParsePort(text)
	if !ok {
		r.Fault("port", "%s", PortRule)
	}
	return port
}

func (r reader) login(usePEM bool) (login installer.Login) {
	text, ok := Read[string](r.Fields, "password")
	n := utf8.RuneCountInString(text)
	switch {
	case !ok:
	case usePEM && text == "":
	case n < 1 || n > MaxPassword:
		r.Fault("password", "must have 1 to %d characters, not %d", MaxPassword, n)
	case usePEM:
		login.PrivateKey = installer.NewSecret(text)
		err, known := r.keys[text]
		if !known {
			_, err = privkey.Parse(login.PrivateKey, installer.Secret{})
			r.keys[text] = err
		}
		if err != nil {
			r.Fault("password", "%s", err)
		}
	default:
		login.Password = installer.NewSecret(text)
	}
	return login
}

// PortRule says what ParsePort wants.
const PortRule = "must be a port: 1 to 65535, digits only, no leading zero"

// ParsePort reads ^[1-9][0-9]{0,4}$ up to 65535, and nothing else:
// strconv would take "+22" and "022".
func ParsePort(s string) (uint16, bool) {
	if s == "" || len(s) > 5 || s[0] == '0' {
		return 0, false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
	}
	n, err := strconv.ParseUint(s, 10, 16)
	return uint16(n), err == nil
}

// UserFault says what is wrong with the name of a login, or "". A leading '-'
// would be an option to whatever passes it on.
func UserFault(user string, longest int) string {
	switch n := utf8.RuneCountInString(user); {
	case n < 1:
		return "the user name is empty"
	case n > longest:
		return "the user name has more than " + strconv.Itoa(longest) + " characters"
	case user[0] == '-':
		return "the user name begins with '-'"
	case hasControl(user):
		return "the user name holds a control character"
	}
	return ""
}

func hasControl(s string) bool {
	for _, r := range s {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r == utf8.RuneError {
			return true
		}
	}
	return false
}
