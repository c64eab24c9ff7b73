package installer

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"tripod/installer/lazyregexp"
)

// Bounds of a host's fields, in characters or entries.
const (
	MaxName     = 128
	MaxUser     = 64 // the API has less, but directory services hand out long ones
	MaxPassword = 3000
	MaxIPs      = 64
	MaxHops     = 8
	MaxText     = 256 // of a text for people
	maxNamed    = 100 // jump hosts of a RouteChoice
)

// Bounds of a spec.
const (
	longestRun  = 24 * time.Hour
	maxPackages = 64
)

const (
	IDRule      = "must be 1–64 letters, digits and '-'" // what IDForm wants
	IPRule      = "must be an IP address without a zone" // what ParseIP wants
	versionRule = "must be 0–64 letters, digits, '_', '.' and '-'"
	wordRule    = "must be 0–32 capital letters and '_'"
)

var (
	targetForm  = lazyregexp.New(`^[a-z0-9][a-z0-9-]{0,31}$`)
	versionForm = lazyregexp.New(`^[0-9A-Za-z_.-]{0,64}$`)
	archForm    = lazyregexp.New(`^[a-z0-9]{0,16}$`)
	wordForm    = lazyregexp.New(`^[A-Z_]{0,32}$`)
)

// At tells the place of a field in the input, for faults: a path, a column. Empty: this
// field is checked elsewhere.
type At func(field string) string

// Within is At of fields in a JSON path.
func Within(path string) At { return func(field string) string { return path + "." + field } }

type validation struct {
	at At
	Faults
}

// want adds the rule as a fault of the field where it is not kept.
func (v *validation) want(field string, kept bool, rule string) {
	if where := v.at(field); !kept && where != "" {
		v.Add(where, "%s", rule)
	}
}

func (v *validation) add(field, what string) { v.want(field, what == "", what) }

// Validate brings fields into their usual form, and tells all that is wrong with the host.
func (h *Host) Validate(at At) Faults {
	v := validation{at: at}
	h.Type = InstanceType(strings.ToUpper(cmp.Or(string(h.Type), string(ECS)))) // lists are filtered by it
	v.want("instance_id", IDForm.MatchString(h.ID), IDRule)
	v.add("instance_name", textFault(h.Name, MaxName))
	v.endpoint("", &h.Endpoint)
	v.want("instance_type", h.Type == ECS || h.Type == BMS, "must be ECS or BMS")
	v.want("become", h.Become == BecomeAuto || slices.Contains(Becomes, h.Become), "must be sudo, doas, su or never")
	v.route(h)
	v.ips("intranet_ips", h.IntranetIPs)
	v.ips("elastic_ips", h.ElasticIPs)
	v.want("labels", len(h.Labels) <= MaxLabels, fmt.Sprintf("has more than %d labels", MaxLabels))
	for name, value := range h.Labels {
		v.add("labels", LabelFault(name, value))
	}
	v.agent(h.Agent)
	v.vars("vars", h.Vars, 0)
	return v.Faults
}

func (v *validation) route(h *Host) {
	v.want("via", len(h.Via) <= MaxHops, fmt.Sprintf("has more than %d hops", MaxHops))
	for i := range h.Via[:min(len(h.Via), MaxHops)] {
		v.endpoint(fmt.Sprintf("via[%d].", i), &h.Via[i])
	}
	if h.RouteChoice == nil {
		return
	}
	named := h.RouteChoice.Named
	v.want("through", len(h.Via) == 0, "does not go together with via")
	v.want("through", len(named) <= maxNamed, fmt.Sprintf("names more than %d jump hosts", maxNamed))
	for i, n := range named[:min(len(named), maxNamed)] {
		v.want(fmt.Sprintf("through.named[%d]", i), IDForm.MatchString(n.ID), IDRule)
	}
}

func (v *validation) endpoint(path string, e *Endpoint) {
	parse := func(field string, text *string, parse func(string) (string, error)) {
		if parsed, err := parse(*text); err == nil {
			*text = parsed
		} else {
			v.add(path+field, err.Error())
		}
	}
	parse("address", &e.Address, ParseAddress)
	v.want(path+"port", e.Port != 0, "must be 1–65535")
	v.add(path+"user", UserFault(e.User, MaxUser))
	if e.HostKey != "" {
		parse("host_key", &e.HostKey, ParseHostKey)
	}
}

func (v *validation) ips(field string, ips []string) {
	v.want(field, len(ips) <= MaxIPs, fmt.Sprintf("has more than %d addresses", MaxIPs))
	for i, text := range ips {
		ip, ok := ParseIP(text)
		v.want(fmt.Sprintf("%s[%d]", field, i), ok, IPRule)
		ips[i] = ip
	}
}

func (s *Spec) Validate(at At) Faults {
	v := validation{at: at}
	v.want("target", targetForm.MatchString(s.Target), "must be 1–32 of a-z 0-9 -, a letter or digit first")
	v.want("version", versionForm.MatchString(s.Version), versionRule)
	v.want("restore", versionForm.MatchString(s.Restore), versionRule)
	v.want("version_type", wordForm.MatchString(s.VersionType), wordRule)
	v.want("origin", wordForm.MatchString(s.Origin), wordRule)
	v.want("task", wordForm.MatchString(string(s.Task)), wordRule)
	v.want("run_timeout", 0 <= s.RunTimeout && s.RunTimeout <= longestRun, fmt.Sprintf("must be 0 to %s", longestRun))
	v.want("host_keys", s.HostKeys.Known(), "must be accept-new, strict or insecure")
	if s.Online != nil {
		v.Faults = append(v.Faults, s.Online.Validate(func(field string) string { return at("online." + field) })...)
	}
	v.agent(s.Agent)
	v.script(s)
	files := s.Files()
	v.want("packages", len(files) <= maxPackages, fmt.Sprintf("are more than %d", maxPackages))
	for _, ref := range files[:min(len(files), maxPackages)] {
		v.want("arch", archForm.MatchString(ref.Arch), "must be 0–16 of a-z 0-9")
		v.want("package_version", versionForm.MatchString(ref.Version), versionRule)
		v.want("edition", wordForm.MatchString(string(ref.Edition)), wordRule)
		v.want("sha256", SHA256Form.MatchString(ref.SHA256), "must be 64 hexadecimal digits")
		v.add("name", TextFault(ref.Name))
		v.want("name", ref.Name != "" && path.Base(ref.Name) == ref.Name, "must be a file's name, without folders")
	}
	return v.Faults
}

func (v *validation) agent(c *AgentConfig) {
	if c != nil {
		v.Faults = append(v.Faults, c.Validate(func(field string) string { return v.at("agent_config." + field) })...)
	}
}

// Words lists the values of an enum for people: "A, B, C".
func Words[T ~string](all []T) string {
	return strings.ReplaceAll(strings.Trim(fmt.Sprint(all), "[]"), " ", ", ")
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func (s *Spec) Files() []BlobRef {
	files := slices.Concat(s.Packages, s.Send)
	if s.Script != nil {
		files = append(files, *s.Script)
	}
	return files
}

// UserFault says what is wrong with the name of a login, or "". A leading '-' would be an
// option to whatever passes it on.
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

func TextFault(text string) string { return textFault(text, MaxText) }

func textFault(text string, longest int) string {
	switch {
	case utf8.RuneCountInString(text) > longest:
		return "must have at most " + strconv.Itoa(longest) + " characters"
	case HasControl(text):
		return "holds a control character"
	}
	return ""
}
