package hostsfile

import (
	"cmp"
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"tripod/installer"
	"tripod/installer/strictjson"
)

const metaName = "remote_install_meta"

const (
	maxDepth  = 32
	maxValues = 32 * MaxHosts
)

// json reads remote_install_meta: the array itself, or an object that has it
// (a whole API request, say; its other members mean nothing here).
func (c *collector) json(text []byte) {
	hosts, faults := c.jsonHosts(text)
	for _, f := range faults {
		c.faultAt(c.jsonWhere(f.Where), "%s", f.What)
	}
	if len(faults) > 0 {
		return
	}
	for _, e := range hosts {
		e.Where = c.jsonWhere(e.Where)
		e.Host.Port = cmp.Or(e.Host.Port, c.d.Port)
		e.Host.User = cmp.Or(e.Host.User, c.d.User)
		c.add(e, nil)
	}
}

func (c *collector) jsonHosts(text []byte) (hosts []installer.HostEntry, faults installer.Faults) {
	if !strictjson.Check(text, strictjson.Limits{Depth: maxDepth, Values: maxValues}, &faults) {
		return nil, faults
	}
	list, path := jsontext.Value(text), ""
	if list.Kind() == jsontext.KindBeginObject {
		members, _ := strictjson.Decode[strictjson.Object](list)
		if list, path = members[metaName], metaName; list == nil {
			faults.Add("", "has no %s", metaName)
			return nil, faults
		}
	}
	items, wrong := strictjson.Decode[[]jsontext.Value](list)
	if wrong != "" {
		faults.Add(path, "%s", wrong)
	}
	return metaHosts(items, path, false, c.keys, &faults), faults
}

func (c *collector) jsonWhere(path string) string {
	if path == "" || path == "document" {
		return c.name
	}
	return c.name + " " + path
}

// maxMetaUser is the API's own limit, in characters.
const maxMetaUser = 16

// RequestHosts reads the remote_install_meta of a request that strictjson has checked.
// They are valid only if no fault was added. What is left out is the zero value.
func RequestHosts(items []jsontext.Value, path string, faults *installer.Faults) []installer.HostEntry {
	return metaHosts(items, path, true, newKeyFiles("", nil), faults)
}

// metaHosts reads a list. A request has to say whom to log in as, which cannot be
// guessed; a file may say what is known of hosts.
func metaHosts(items []jsontext.Value, path string, request bool, keys keyFiles, faults *installer.Faults) []installer.HostEntry {
	hosts := make([]installer.HostEntry, 0, len(items))
	first := make(map[netip.AddrPort]string, len(items))
	for i, item := range items {
		where := strictjson.Index(path, i)
		fields, ok := strictjson.FieldsOf(item, where, faults)
		if !ok {
			continue
		}
		e := metaReader{fields, keys, faults}.host(where, request)
		hosts = append(hosts, e)
		addr, err := netip.ParseAddr(e.Host.Address)
		if err != nil || e.Host.Port == 0 && fields.Has("port") {
			continue // told already
		}
		place := netip.AddrPortFrom(addr, e.Host.Port)
		if before, twice := first[place]; twice {
			faults.Add(where, "is the same address and port as %s", before)
			continue
		}
		first[place] = where
	}
	return hosts
}

type metaReader struct {
	*strictjson.Fields
	keys   keyFiles
	faults *installer.Faults
}

func (r metaReader) host(where string, request bool) installer.HostEntry {
	e := installer.HostEntry{Where: where}
	h := &e.Host
	h.Name, h.Address, h.User, h.Port = r.text("instance_name"), r.address(), r.text("user_name"), r.port()
	usePEM, _ := strictjson.Read[bool](r.Fields, "remote_use_pem")
	e.Credentials.Login = r.login(usePEM)
	e.DefaultKey = usePEM && e.Credentials.Login.IsZero()
	if fields, given := r.Object("agent"); given {
		h.Agent, e.Credentials.Agent = agentSettings(fields)
	}
	e.HasSecret = len(e.Credentials.Secrets()) > 0
	if request {
		r.Need("user_name")
	} else {
		h.Become = installer.Become(r.text("become"))
		h.ID, h.Type = r.text("instance_id"), installer.InstanceType(r.text("instance_type"))
		h.Labels, h.IntranetIPs, h.ElasticIPs = r.labels(), r.Strings("intranet_ips"), r.Strings("elastic_ips")
		h.Vars, e.Credentials.Vars = r.variables("vars"), installer.SecretVars(r.variables("secret_vars"))
		*r.faults = append(*r.faults, e.Credentials.Vars.Validate(r.at)...)
		e.HasSecret = e.HasSecret || len(e.Credentials.Vars) > 0
	}
	given := h.Type
	*r.faults = append(*r.faults, h.Validate(r.at)...)
	if given == "" {
		h.Type = "" // which Validate fills in
	}
	r.End(true)
	return e
}

func (r metaReader) text(name string) string {
	text, ok := strictjson.Read[string](r.Fields, name)
	switch {
	case ok && name == "instance_name" && text == "":
		r.Fault(name, "must have 1 to %d characters", installer.MaxName)
	case name == "user_name" && utf8.RuneCountInString(text) > maxMetaUser:
		r.Fault(name, "%s", installer.UserFault(text, maxMetaUser))
	}
	return text
}

// at leaves out what is not there, and what is reported already.
func (r metaReader) at(field string) string {
	name, _, _ := strings.Cut(field, "[")
	name, _, _ = strings.Cut(name, ".")
	switch name {
	case "address", "port", "labels", "agent_config": // here they have rules of their own
		return ""
	case "user":
		name, field = "user_name", "user_name"
	}
	if !r.Has(name) {
		return ""
	}
	return r.Untold(r.Path(name) + field[len(name):])
}

func (r metaReader) address() string {
	r.Need("remote_ip")
	text, ok := strictjson.Read[string](r.Fields, "remote_ip")
	if addr, err := netip.ParseAddr(text); ok && (err != nil || !addr.Is4()) {
		r.Fault("remote_ip", "must be an IPv4 address: four numbers of 0 to 255 without leading zeros, with dots between them")
		return ""
	}
	return text
}

// port takes the API's string of digits, and a bare number, which people write.
func (r metaReader) port() uint16 {
	raw := r.Get("port")
	text := string(raw)
	switch raw.Kind() {
	case jsontext.KindInvalid: // left out
		return 0
	case jsontext.KindString:
		text, _ = strictjson.Decode[string](raw)
	case jsontext.KindNumber:
	default:
		r.Fault("port", "must be a string of digits, not %s", strictjson.Kinds[raw.Kind()])
		return 0
	}
	port := parsePort(text)
	if port == 0 {
		r.Fault("port", "%s", portRule)
	}
	return port
}

func (r metaReader) login(usePEM bool) (login installer.Login) {
	text, ok := strictjson.Read[string](r.Fields, "password")
	n := utf8.RuneCountInString(text)
	switch {
	case !ok:
	case usePEM && text == "":
	case n < 1 || n > installer.MaxPassword:
		r.Fault("password", "must have 1 to %d characters, not %d", installer.MaxPassword, n)
	case usePEM:
		login.PrivateKey = installer.NewSecret(text)
		if err := r.keys.check(login); err != nil {
			r.Fault("password", "%s", err)
		}
	default:
		login.Password = installer.NewSecret(text)
	}
	return login
}

// variables reads an object of them. What is wrong with one is reported here.
func (r metaReader) variables(field string) map[string]string {
	fields, given := r.Object(field)
	if !given {
		return nil
	}
	vars := map[string]string{}
	for _, name := range fields.Names() {
		text, ok := strictjson.Read[string](fields, name)
		if wrong := installer.VarFault(name, text); wrong != "" {
			fields.Fault(name, "%s", wrong)
		} else if ok {
			vars[name] = text
		}
	}
	return vars
}

func (r metaReader) labels() map[string]string {
	fields, given := r.Object("labels")
	if !given {
		return nil
	}
	names := fields.Names()
	if len(names) > installer.MaxLabels {
		r.Fault("labels", "has more than %d labels", installer.MaxLabels)
	}
	labels := make(map[string]string, len(names))
	for _, name := range names {
		text, ok := strictjson.Read[string](fields, name)
		if wrong := installer.LabelFault(name, text); ok && wrong != "" {
			fields.Fault(name, "%s", wrong)
		}
		labels[name] = text
	}
	return labels
}

const portRule = "must be a port: 1 to 65535, digits only, no leading zero"

// parsePort reads digits alone, and no leading zero: strconv would take "+22" and
// "022". 0: it is none.
func parsePort(s string) uint16 {
	n, err := strconv.ParseUint(s, 10, 16)
	if err != nil || strconv.FormatUint(n, 10) != s {
		return 0
	}
	return uint16(n)
}

// AgentConfig reads a file with the configuration of the agents of many hosts. Its error is installer.Faults.
func AgentConfig(name string, text []byte) (*installer.AgentConfig, installer.AgentKeys, error) {
	var found installer.Faults
	var config *installer.AgentConfig
	var keys installer.AgentKeys
	if strictjson.Check(text, strictjson.Limits{Depth: maxDepth, Values: maxValues}, &found) {
		if fields, ok := strictjson.FieldsOf(text, "", &found); ok {
			if fields.Has("instance_id") {
				fields.Fault("instance_id", "belongs to one host: give it in a column or field of that host")
			}
			config, keys = agentSettings(fields)
		}
	}
	var faults installer.Faults
	for _, f := range found {
		faults.Add(name+" "+f.Where, "%s", f.What)
	}
	return config, keys, faults.Err()
}

// agentSettings reads what an object says of an agent, its keys too.
func agentSettings(f *strictjson.Fields) (*installer.AgentConfig, installer.AgentKeys) {
	var c installer.AgentConfig
	text := func(name string) string {
		text, _ := strictjson.Read[string](f, name)
		return text
	}
	c.Region, c.Endpoint = text("region"), text("endpoint")
	c.ProjectID, c.InstanceID = text("project_id"), text("instance_id")
	if bms, ok := strictjson.Read[bool](f, "bms"); ok {
		c.BMS = &bms
	}
	keys := installer.AgentKeys{
		AccessKey: installer.NewSecret(text("access_key")), SecretKey: installer.NewSecret(text("secret_key")),
	}
	at := func(field string) string { return f.Untold(f.Path(field)) }
	f.Add(append(c.Validate(at), keys.Validate(at)...))
	f.End(true)
	return c.OrNil(), keys
}
