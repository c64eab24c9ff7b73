package api

import (
	"cmp"
	"fmt"
	"regexp"

	"github.com/go-json-experiment/json/jsontext"

	"tripod/installer"
	"tripod/installer/meta"
	"tripod/installer/strictjson"
)

// Names of fields that more than one place speaks of.
const (
	fieldType          = "invocation_type"
	fieldInstanceIDs   = "instance_ids"
	fieldInvocationIDs = "invocation_ids"
	fieldHosts         = "remote_install_meta"
)

// maxItems is the API's limit for every list of a request.
const maxItems = 100

var (
	version = regexp.MustCompile(`^[0-9A-Za-z_.-]{0,64}$`)
)

// createRequest is a batch-create body that has been found good.
type createRequest struct {
	kind                         installer.Type
	instanceIDs, invocationIDs   []string
	versionType, origin, version string
	hosts                        []installer.HostEntry
}

// maxValues bounds the values of a body, those of unknown fields included: a
// good one has some 800 and agent-status 2000.
const maxValues = 10_000

// maxDepth of arrays and objects in each other.
const maxDepth = 32

// createLists are what the lists of a batch-create body may have.
var createLists = map[string]int{fieldInstanceIDs: maxItems, fieldInvocationIDs: maxItems, fieldHosts: maxItems}

// topFields are the fields of a body that is one JSON object, of which no list
// is read further than it may be long. What is wrong with it, and later with
// them, is added to faults.
func topFields(body []byte, lists map[string]int, faults *installer.Faults) (*meta.Fields, bool) {
	ok := strictjson.Check(body, strictjson.Limits{Depth: maxDepth, Full: func(i strictjson.Item) string {
		most, bounded := lists[i.Field]
		switch {
		case i.Depth == 2 && bounded && i.N > most:
			return fmt.Sprintf("must hold at most %d items", most)
		case i.Values > maxValues:
			return fmt.Sprintf("has more than %d values", maxValues)
		}
		return ""
	}}, faults)
	if !ok {
		return nil, false
	}
	return meta.FieldsOf(body, "", faults)
}

// decodeCreate reads a body, or says everything that is wrong with it. Unknown
// fields are tolerated here, at the top: newer clients may send more.
func decodeCreate(body []byte) (*createRequest, error) {
	var faults installer.Faults
	f, ok := topFields(body, createLists, &faults)
	if !ok {
		return nil, faults
	}
	req := &createRequest{}
	if s, ok := meta.Read[string](f, fieldType); ok {
		if req.kind, ok = invocationType(s); !ok {
			f.Fault(fieldType, "must be one of %s", words(types))
		}
	}
	f.Need(fieldType)
	enum(f, "invocation_target", targets...)
	req.instanceIDs = distinctIDs(f, fieldInstanceIDs, installer.IDForm, &faults)
	req.invocationIDs = distinctIDs(f, fieldInvocationIDs, installer.IDForm, &faults)
	req.versionType = enum(f, "version_type", editions...)
	req.origin = enum(f, "origin", origins...)
	if s, ok := meta.Read[string](f, "version"); ok {
		if req.version = s; !version.MatchString(s) {
			f.Fault("version", "must be 0–64 letters, digits, '_', '.' and '-'")
		}
	}
	req.hosts = hosts(f, req.kind, &faults)
	if field, ok := namedBy[req.kind]; ok {
		f.Need(field)
	}
	f.End(false)
	if len(faults) > 0 {
		return nil, faults
	}
	return req, nil
}

// enum reads a field that may be one of a few words.
func enum[T ~string](f *meta.Fields, name string, allowed ...T) string {
	s, ok := meta.Read[string](f, name)
	if !ok {
		return ""
	}
	if !oneOf(allowed...)(s) {
		f.Fault(name, "must be one of %s", words(allowed))
	}
	return s
}

// ids reads a list of 1 to most ids.
func ids(f *meta.Fields, name string, most int, form *regexp.Regexp, faults *installer.Faults) []string {
	values, ok := meta.Read[[]jsontext.Value](f, name)
	if !ok {
		return nil
	}
	if len(values) == 0 || len(values) > most {
		f.Fault(name, "must hold 1–%d ids, not %d", most, len(values))
		return nil
	}
	list := make([]string, 0, len(values))
	for i, v := range values {
		id, wrong := meta.Decode[string](v)
		if wrong == "" && !form.MatchString(id) {
			wrong = "must be 1–64 letters, digits and '-'"
		}
		if wrong != "" {
			faults.Add(index(f.Path(name), i), "%s", wrong)
		}
		list = append(list, id)
	}
	return list
}

// distinctIDs reads a list of 1–100 ids, none of them twice: nothing is to be
// done twice.
func distinctIDs(f *meta.Fields, name string, form *regexp.Regexp, faults *installer.Faults) []string {
	before := len(*faults)
	list := ids(f, name, maxItems, form, faults)
	if len(*faults) > before {
		return list
	}
	first := make(map[string]int, len(list))
	for i, id := range list {
		if n, twice := first[id]; twice {
			faults.Add(index(f.Path(name), i), "is the same as %s", index(f.Path(name), n))
			continue
		}
		first[id] = i
	}
	return list
}

// hosts reads remote_install_meta: 0–100 hosts, and at least one where they
// are what the request is about. Of an entry, remote_ip and user_name are
// needed; the port is 22 where none is given.
func hosts(f *meta.Fields, kind installer.Type, faults *installer.Faults) []installer.HostEntry {
	list, ok := meta.Read[[]jsontext.Value](f, fieldHosts)
	if !ok {
		return nil
	}
	switch n := len(list); {
	case n == 0 && kind == installer.RemoteInstall:
		f.Fault(fieldHosts, "must hold 1–%d hosts", maxItems)
	case n > 0 && kind != installer.RemoteInstall && kind != "":
		f.Fault(fieldHosts, "is for %s only: nothing would be done with it", installer.RemoteInstall)
	}
	// Whom to log in as cannot be guessed.
	hosts := meta.Hosts(list, f.Path(fieldHosts), meta.Options{NeedUser: true}, faults)
	for i := range hosts {
		hosts[i].Host.Port = cmp.Or(hosts[i].Host.Port, installer.DefaultPort)
	}
	return hosts
}

func index(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }
