package hostsfile

import (
	"tripod/installer"
	"tripod/installer/meta"
	"tripod/installer/strictjson"
)

const metaName = "remote_install_meta"

// json reads remote_install_meta: the array itself, or an object that has it
// (a whole API request, say; its other members mean nothing here).
func (c *collector) json(text []byte) {
	v, faults := strictjson.Parse(text, strictjson.Options{MaxValues: 32 * MaxHosts})
	path := ""
	if v.Kind() == strictjson.Object {
		list, found := v.Field(metaName)
		if !found {
			faults.Add("", "has no %s", metaName) // list is then Invalid
		}
		v, path = list, metaName
	}
	var hosts []meta.Host
	if v.Kind() != strictjson.Invalid {
		var more installer.Faults
		hosts, more = meta.FromValue(v, path, meta.Options{Lenient: true, Known: true})
		faults = append(faults, more...)
	}
	for _, f := range faults {
		c.faultAt(c.jsonWhere(f.Where), "%s", f.What)
	}
	if len(faults) > 0 {
		return
	}
	for _, h := range hosts {
		c.addMeta(h)
	}
}

func (c *collector) addMeta(h meta.Host) {
	e := Entry{Where: c.jsonWhere(h.Where), HasSecret: !h.Login.IsZero()}
	e.Host = installer.Host{
		ID: h.ID, Name: h.Name, Type: h.Type, Labels: h.Labels, IntranetIPs: h.IntranetIPs, ElasticIPs: h.ElasticIPs,
	}
	e.Host.Endpoint = installer.Endpoint{Address: h.Address, Port: h.Port, User: h.User}
	if h.Port == 0 {
		e.Host.Port = c.d.Port
	}
	if h.User == "" {
		e.Host.User = c.d.User
	}
	e.Credentials.Login = h.Login
	c.add(e, nil)
}

func (c *collector) jsonWhere(path string) string {
	if path == "" || path == "document" {
		return c.name
	}
	return c.name + " " + path
}
