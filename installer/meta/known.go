package meta

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"tripod/installer"
	"tripod/installer/strictjson"
)

// What a hosts file may say of a host beyond the API's own fields.

// Rules, as faults tell them.
const (
	InstanceIDRule   = "must have 1 to 64 letters, digits and '-'"
	InstanceTypeRule = "must be ECS or BMS"
	IPRule           = "must be an IP address without a zone"
)

// MaxIPs is how many addresses of one sort a host may have.
const MaxIPs = 64

// IsInstanceID reports whether id has the form of the API's instance_id.
func IsInstanceID(id string) bool { return installer.IDForm.MatchString(id) }

// ParseInstanceType reads ECS or BMS, in any case.
func ParseInstanceType(text string) (installer.InstanceType, bool) {
	switch t := installer.InstanceType(strings.ToUpper(text)); t {
	case installer.ECS, installer.BMS:
		return t, true
	}
	return "", false
}

// ParseIP returns an address in its one usual form.
func ParseIP(text string) (string, bool) {
	addr, err := netip.ParseAddr(text)
	if err != nil || addr.Zone() != "" {
		return "", false
	}
	return addr.Unmap().String(), true
}

// Known are the fields of a known host; a request has none of them.
type Known struct {
	ID          string // instance_id
	Type        installer.InstanceType
	Labels      map[string]string
	IntranetIPs []string
	ElasticIPs  []string
}

func (r reader) known() (k Known) {
	if id, ok := Read[string](r.Fields, "instance_id"); ok {
		if k.ID = id; !IsInstanceID(id) {
			r.Fault("instance_id", InstanceIDRule)
		}
	}
	if text, ok := Read[string](r.Fields, "instance_type"); ok {
		if k.Type, ok = ParseInstanceType(text); !ok {
			r.Fault("instance_type", InstanceTypeRule)
		}
	}
	k.Labels = r.labels()
	k.IntranetIPs, k.ElasticIPs = r.ips("intranet_ips"), r.ips("elastic_ips")
	return k
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
		ip, ok := ParseIP(text)
		if !ok {
			r.faults.Add(fmt.Sprintf("%s[%d]", r.Path(field), i), "%s", cmp.Or(wrong, IPRule))
		}
		ips = append(ips, ip)
	}
	if len(ips) > MaxIPs {
		r.Fault(field, "has more than %d addresses", MaxIPs)
	}
	return ips
}
