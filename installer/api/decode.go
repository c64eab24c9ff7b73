package api

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"tripod/installer"
	"tripod/installer/hostsfile"
	"tripod/installer/plan"
	"tripod/installer/strictjson"
)

const (
	fieldType          = "invocation_type"
	fieldInstanceIDs   = "instance_ids"
	fieldInvocationIDs = "invocation_ids"
	fieldHosts         = "remote_install_meta"
)

const (
	maxItems = 100 // the API's limit for every list of a request
	maxDepth = 32  // of arrays and objects in each other
	// maxValues bounds the values of a body, those of unknown fields included: a
	// good one has some 800 and agent-status 2000.
	maxValues = 10_000
)

// body is one JSON object, with all that is wrong with it. Unknown fields are
// tolerated at its top: newer clients may send more.
type body struct {
	*strictjson.Fields
	faults installer.Faults
}

// read starts with what is wrong whatever the fields are; false: nothing more can
// be read. No list is read further than it may be long.
func (b *body) read(raw []byte, lists map[string]int) (ok bool) {
	if !strictjson.Check(raw, strictjson.Limits{Depth: maxDepth, Values: maxValues, Full: func(i strictjson.Item) string {
		if most, bounded := lists[i.Field]; i.Depth == 2 && bounded && i.N > most {
			return fmt.Sprintf("must hold at most %d items", most)
		}
		return ""
	}}, &b.faults) {
		return false
	}
	b.Fields, ok = strictjson.FieldsOf(raw, "", &b.faults)
	return ok
}

// decodeCreate reads a batch-create body. Its Spec has only what the body says.
func decodeCreate(raw []byte) (req plan.Request, err error) {
	var b body
	if !b.read(raw, map[string]int{fieldInstanceIDs: maxItems, fieldInvocationIDs: maxItems, fieldHosts: maxItems}) {
		return req, b.faults
	}
	if s, ok := strictjson.Read[string](b.Fields, fieldType); ok {
		if req.Task, ok = invocationType(s); !ok {
			b.Fault(fieldType, "must be one of %s", installer.Words(types))
		}
	}
	b.Need(fieldType)
	enum(&b, "invocation_target", targets)
	instances, invocations := b.distinctIDs(fieldInstanceIDs), b.distinctIDs(fieldInvocationIDs)
	req.Spec.VersionType = string(enum(&b, "version_type", editions))
	req.Spec.Origin = enum(&b, "origin", origins)
	req.Spec.Version, _ = strictjson.Read[string](b.Fields, "version")
	b.faults = append(b.faults, (&installer.Spec{Version: req.Spec.Version}).Validate(func(field string) string {
		if field == "version" {
			return field
		}
		return ""
	})...)
	hosts := b.hosts(req.Task)
	switch req.Task {
	case installer.Retry, installer.Rollback:
		req.Of = invocations
	case installer.RemoteInstall:
		req.Hosts, req.JumpHosts = hosts, instances
	default:
		req.Known = instances
	}
	if field, ok := namedBy[req.Task]; ok {
		b.Need(field)
	}
	b.End(false)
	return req, b.faults.Err()
}

func enum[T ~string](b *body, name string, allowed []T) T {
	word, ok := strictjson.Read[string](b.Fields, name)
	if ok && !slices.Contains(allowed, T(word)) {
		b.Fault(name, "must be one of %s", installer.Words(allowed))
	}
	return T(word)
}

func (b *body) ids(name string, most int) []string {
	list := b.Strings(name)
	if n := len(list); b.Has(name) && b.Untold(name) != "" && (n == 0 || n > most) {
		b.Fault(name, "must hold 1–%d ids, not %d", most, n)
		return nil
	}
	for i, id := range list {
		if at := strictjson.Index(name, i); !installer.IDForm.MatchString(id) && b.Untold(at) != "" {
			b.faults.Add(at, installer.IDRule)
		}
	}
	return list
}

// distinctIDs reads a list of 1–100 ids, none of them twice: nothing is to be
// done twice.
func (b *body) distinctIDs(name string) []string {
	before := len(b.faults)
	list := b.ids(name, maxItems)
	if len(b.faults) > before {
		return list
	}
	first := make(map[string]int, len(list))
	for i, id := range list {
		if n, twice := first[id]; twice {
			b.faults.Add(strictjson.Index(name, i), "is the same as %s", strictjson.Index(name, n))
			continue
		}
		first[id] = i
	}
	return list
}

// hosts reads remote_install_meta: 0–100 hosts, and at least one where they
// are what the request is about.
func (b *body) hosts(task installer.Type) []installer.HostEntry {
	list, ok := strictjson.Read[[]jsontext.Value](b.Fields, fieldHosts)
	if !ok {
		return nil
	}
	switch n := len(list); {
	case n == 0 && task == installer.RemoteInstall:
		b.Fault(fieldHosts, "must hold 1–%d hosts", maxItems)
	case n > 0 && task != installer.RemoteInstall && task != "":
		b.Fault(fieldHosts, "is for %s only: nothing would be done with it", installer.RemoteInstall)
	}
	hosts := hostsfile.RequestHosts(list, fieldHosts, &b.faults)
	for i := range hosts {
		hosts[i].Host.Port = cmp.Or(hosts[i].Host.Port, installer.DefaultPort)
	}
	return hosts
}
