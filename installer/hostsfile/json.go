package hostsfile

import (
	"cmp"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"

	"tripod/installer"
	"tripod/installer/meta"
	"tripod/installer/strictjson"
)

const metaName = "remote_install_meta"

// Bounds of a JSON file.
const (
	maxDepth  = 32
	maxValues = 32 * MaxHosts
)

// json reads remote_install_meta: the array itself, or an object that has it
// (a whole API request, say; its other members mean nothing here).
func (c *collector) json(text []byte) {
	hosts, faults := jsonHosts(text)
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

func jsonHosts(text []byte) (hosts []installer.HostEntry, faults installer.Faults) {
	if !strictjson.Check(text, strictjson.Limits{Depth: maxDepth, Full: func(i strictjson.Item) string {
		if i.Values > maxValues {
			return fmt.Sprintf("has more than %d values", maxValues)
		}
		return ""
	}}, &faults) {
		return nil, faults
	}
	list, path := jsontext.Value(text), ""
	if list.Kind() == jsontext.KindBeginObject {
		members, _ := meta.Decode[meta.Object](list)
		list, path = members[metaName], metaName
	}
	items, wrong := meta.Decode[[]jsontext.Value](list)
	switch {
	case list == nil:
		faults.Add("", "has no %s", metaName)
	case wrong != "":
		faults.Add(path, "%s", wrong)
	}
	hosts = meta.Hosts(items, path, meta.Options{Known: true}, &faults)
	return hosts, faults
}

func (c *collector) jsonWhere(path string) string {
	if path == "" || path == "document" {
		return c.name
	}
	return c.name + " " + path
}
