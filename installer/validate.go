package installer

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Bounds of a host's fields, in characters or entries.
const (
	MaxName     = 128
	MaxUser     = 64 // the API has less, but directory services hand out long ones
	MaxPassword = 3000
	MaxIPs      = 64
	MaxHops     = 8
	MaxText     = 256 // of a text for people
	maxNamed    = 100 // installers of a Through
)

// IDRule says what IDForm wants.
const IDRule = "must be 1–64 letters, digits and '-'"

// IPRule says what ParseIP wants.
const IPRule = "must be an IP address without a zone"

// At tells the place of a field in the input, for faults: a path, a column. Empty:
// this field is checked elsewhere.
type At func(field string) string

// Within is At of fields in a JSON path.
func Within(path string) At { return func(field string) string { return path + "." + field } }

// validation collects what is wrong.
type validation struct {
	at At
	Faults
}

func (v *validation) fault(field, format string, args ...any) {
	if where := v.at(field); where != "" {
		v.Add(where, format, args...)
	}
}

// Validate brings what has several forms into the usual one, and tells all that is
// wrong with the host.
func (h *Host) Validate(at At) Faults {
	v := validation{at: at}
	if !IDForm.MatchString(h.ID) {
		v.fault("instance_id", IDRule)
	}
	switch {
	case utf8.RuneCountInString(h.Name) > MaxName:
		v.fault("instance_name", "must have at most %d characters", MaxName)
	case HasControl(h.Name):
		v.fault("instance_name", "holds a control character")
	}
	v.endpoint("", &h.Endpoint)
	switch h.Type = InstanceType(strings.ToUpper(string(h.Type))); h.Type {
	case "":
		h.Type = ECS // lists are filtered by it
	case ECS, BMS:
	default:
		v.fault("instance_type", "must be ECS or BMS")
	}
	if h.Sudo != SudoAuto && h.Sudo != SudoNever {
		v.fault("sudo", "must be empty or never")
	}
	v.route(h)
	v.ips("intranet_ips", h.IntranetIPs)
	v.ips("elastic_ips", h.ElasticIPs)
	if len(h.Labels) > MaxLabels {
		v.fault("labels", "has more than %d labels", MaxLabels)
	}
	for name, value := range h.Labels {
		if what := LabelFault(name, value); what != "" {
			v.fault("labels", "%s", what)
		}
	}
	return v.Faults
}

// way checks how the host is reached.
func (v *validation) route(h *Host) {
	if len(h.Via) > MaxHops {
		v.fault("via", "has more than %d hops", MaxHops)
		return
	}
	for i := range h.Via {
		v.endpoint(fmt.Sprintf("via[%d].", i), &h.Via[i])
	}
	if h.RouteChoice == nil {
		return
	}
	if len(h.Via) > 0 {
		v.fault("through", "does not go together with via")
	}
	if len(h.RouteChoice.Named) > maxNamed {
		v.fault("through", "names more than %d installers", maxNamed)
		return
	}
	for i, n := range h.RouteChoice.Named {
		if !IDForm.MatchString(n.ID) {
			v.fault(fmt.Sprintf("through.named[%d]", i), IDRule)
		}
	}
}

func (v *validation) endpoint(path string, e *Endpoint) {
	address, err := ParseAddress(e.Address)
	if err == nil {
		e.Address = address
	} else {
		v.fault(path+"address", "%v", err)
	}
	if e.Port == 0 {
		v.fault(path+"port", "must be 1–65535")
	}
	if what := UserFault(e.User, MaxUser); what != "" {
		v.fault(path+"user", "%s", what)
	}
	if e.HostKey == "" {
		return
	}
	if e.HostKey, err = ParseHostKey(e.HostKey); err != nil {
		v.fault(path+"host_key", "%v", err)
	}
}

func (v *validation) ips(field string, ips []string) {
	if len(ips) > MaxIPs {
		v.fault(field, "has more than %d addresses", MaxIPs)
	}
	for i, text := range ips {
		ip, ok := ParseIP(text)
		if !ok {
			v.fault(fmt.Sprintf("%s[%d]", field, i), IPRule)
		}
		ips[i] = ip
	}
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
	case HasControl(user):
		return "the user name holds a control character"
	}
	return ""
}

// HasControl reports whether s holds what moves a cursor, breaks a line or is no text.
func HasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r == utf8.RuneError
	})
}

// TextFault says what is wrong with a text for people, or "".
func TextFault(text string) string {
	switch {
	case utf8.RuneCountInString(text) > MaxText:
		return "must have at most " + strconv.Itoa(MaxText) + " characters"
	case HasControl(text):
		return "holds a control character"
	}
	return ""
}

// oneOf adds a fault unless the word is one of those allowed.
func oneOf[T ~string](v *validation, field string, word T, allowed ...T) {
	if !slices.Contains(allowed, word) {
		v.fault(field, "must be %s", orList(allowed))
	}
}
