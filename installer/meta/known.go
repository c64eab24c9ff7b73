package meta

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"tripod/installer"
	"tripod/installer/strictjson"
)

// What a hosts file may say of a host beyond the API's own fields.

// known reads them into h.
func (r reader) known(h *installer.Host) {
	h.ID, _ = Read[string](r.Fields, "instance_id")
	kind, _ := Read[string](r.Fields, "instance_type")
	h.Type = installer.InstanceType(kind)
	for _, f := range h.Validate(r.at) {
		r.faults.Add(f.Where, "%s", f.What)
	}
	h.Labels = r.labels()
	h.IntranetIPs, h.ElasticIPs = r.ips("intranet_ips"), r.ips("elastic_ips")
}

// at leaves out what is checked as it is read, and what is not there.
func (r reader) at(field string) string {
	if field == "instance_id" && r.Has(field) || field == "instance_type" {
		return r.Path(field)
	}
	return ""
}

func (r reader) labels() map[string]string {
	values, given := Read[Object](r.Fields, "labels")
	if !given {
		return nil
	}
	if len(values) > installer.MaxLabels {
		r.Fault("labels", "has more than %d labels", installer.MaxLabels)
	}
	labels := make(map[string]string, len(values))
	for _, name := range slices.Sorted(maps.Keys(values)) {
		text, wrong := Decode[string](values[name])
		if wrong = cmp.Or(wrong, installer.LabelFault(name, text)); wrong != "" {
			r.faults.Add(strictjson.Join(r.Path("labels"), name), "%s", wrong)
		}
		labels[name] = text
	}
	return labels
}

func (r reader) ips(field string) []string {
	items, _ := Read[[]jsontext.Value](r.Fields, field)
	var ips []string
	for i, item := range items {
		text, wrong := Decode[string](item)
		ip, ok := installer.ParseIP(text)
		if !ok {
			r.faults.Add(fmt.Sprintf("%s[%d]", r.Path(field), i), "%s", cmp.Or(wrong, installer.IPRule))
		}
		ips = append(ips, ip)
	}
	if len(ips) > installer.MaxIPs {
		r.Fault(field, "has more than %d addresses", installer.MaxIPs)
	}
	return ips
}
