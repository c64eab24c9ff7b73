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
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"tripod/installer"
	"tripod/installer/privkey"
)

// maxUser is the API's own limit, in characters.
const maxUser = 16

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
func Hosts(items []jsontext.Value, path string, o Options, faults *installer.Faults) []installer.HostEntry {
	hosts := make([]installer.HostEntry, 0, len(items))
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
		addr, err := netip.ParseAddr(host.Host.Address)
		if err != nil || host.Host.Port == 0 && fields.Has("port") {
			continue // told already
		}
		place := netip.AddrPortFrom(addr, host.Host.Port)
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

func (r reader) host(where string) installer.HostEntry {
	e := installer.HostEntry{Where: where}
	e.Host.Name, e.Host.Endpoint = r.name(), installer.Endpoint{Address: r.address(), User: r.user(), Port: r.port()}
	usePEM, _ := Read[bool](r.Fields, "remote_use_pem")
	e.Credentials.Login = r.login(usePEM)
	e.HasSecret = !e.Credentials.Login.IsZero()
	e.DefaultKey = usePEM && !e.HasSecret
	if r.o.Known {
		r.known(&e.Host)
	}
	r.End(true)
	return e
}

func (r reader) name() string {
	name, ok := Read[string](r.Fields, "instance_name")
	switch n := utf8.RuneCountInString(name); {
	case !ok:
	case n < 1 || n > installer.MaxName:
		r.Fault("instance_name", "must have 1 to %d characters, not %d", installer.MaxName, n)
	case installer.HasControl(name):
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
		if what := installer.UserFault(user, maxUser); what != "" {
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
	case n < 1 || n > installer.MaxPassword:
		r.Fault("password", "must have 1 to %d characters, not %d", installer.MaxPassword, n)
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
