package hostsfile

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"

	"tripod/installer"
)

func (c *collector) csv(text []byte) {
	in := csv.NewReader(bytes.NewReader(text))
	in.FieldsPerRecord = -1 // checked here, to go on after a fault
	in.Comment = '#'
	in.ReuseRecord = true
	var header []string
	for {
		fields, err := in.Read()
		if errors.Is(err, io.EOF) {
			return
		}
		if perr, ok := errors.AsType[*csv.ParseError](err); ok { // a bytes.Reader has no other errors
			c.fault(perr.StartLine, "", "%s", quoteFault(perr))
			continue
		}
		line, _ := in.FieldPos(0)
		if header == nil {
			if header = c.header(line, fields); header == nil {
				return
			}
			continue
		}
		c.record(line, header, fields)
	}
}

func quoteFault(err *csv.ParseError) string {
	if errors.Is(err.Err, csv.ErrBareQuote) {
		return `there is a quote inside a field: put the field in quotes and double the ones in it, as in "say ""hi"""`
	}
	return "a field in quotes is not closed, or goes on after its closing quote: quotes inside of it are doubled"
}

// header maps the fields of the first record to columns; nil after a fault,
// since the records would then be read wrongly.
func (c *collector) header(line int, fields []string) []string {
	header := make([]string, 0, len(fields))
	before := c.faultCount()
	for i, name := range fields {
		col := columnNamed(name)
		switch {
		case col == "":
			// Not quoted: without a header this may be somebody's password.
			c.fault(line, "", "column %d of the header has no known name: use %s", i+1, knownColumns)
		case columnFault(col) != "":
			c.fault(line, "", "column %d of the header: %s", i+1, columnFault(col))
		case slices.Contains(header, col):
			c.fault(line, col, "is there twice in the header")
		}
		header = append(header, col)
	}
	if !slices.Contains(header, "address") && c.faultCount() == before {
		c.fault(line, "address", "is missing in the header")
	}
	if c.faultCount() > before {
		return nil
	}
	return header
}

type record struct {
	*collector
	line   int
	fields map[string]string
}

func (c *collector) record(line int, header, fields []string) {
	if allEmpty(fields) { // spreadsheets write such rows
		return
	}
	if len(fields) < len(header) || !allEmpty(fields[len(header):]) {
		c.fault(line, "", "has %d fields, the header has %d: is a comma in a field that is not in quotes?", len(fields), len(header))
		return
	}
	r, before := record{c, line, make(map[string]string, len(header))}, c.faultCount()
	for i, col := range header {
		if r.fields[col] = fields[i]; !byteExact(col) {
			r.fields[col] = strings.TrimSpace(fields[i])
		}
	}
	s := r.address()
	e := installer.HostEntry{Where: c.where(line), Host: r.host(s)}
	e.Credentials, e.HasSecret = r.credentials()
	route := r.via()
	if c.faultCount() == before {
		c.expand(line, "address", s, e, route)
	}
}

func allEmpty(fields []string) bool {
	return !slices.ContainsFunc(fields, func(f string) bool { return f != "" })
}

// wrong tells a fault of a column; "" is none.
func (r *record) wrong(column, what string) {
	if what != "" {
		r.fault(r.line, column, "%s", what)
	}
}

// address reads the host, which may have ranges, and the user and port in the
// same column as in a list.
func (r *record) address() spec {
	text := r.fields["address"]
	if text == "" {
		r.wrong("address", "is empty")
		return spec{}
	}
	if strings.Count(text, ":") > 1 && !strings.Contains(text, "[") {
		return spec{host: text, literal: true} // IPv6 needs no brackets here
	}
	if strings.ContainsAny(text, " \t\r\n") {
		r.wrong("address", "holds a space")
		return spec{}
	}
	s, what := splitSpec(text)
	r.wrong("address", what)
	if s.user != "" && r.fields["user"] != "" || s.port != 0 && r.fields["port"] != "" {
		r.wrong("address", "has a user or port, and so has a column of its own")
	}
	return s
}

func (r *record) host(s spec) installer.Host {
	h := installer.Host{
		Endpoint: s.endpoint(r.d.User, r.d.Port), Name: r.fields["name"], ID: r.fields["instance_id"], Type: installer.InstanceType(r.fields["type"]),
		Become: installer.Become(r.fields["become"]),
		Agent:  r.agent(), Labels: r.labels(),
		IntranetIPs: parts(r.fields["intranet_ips"]), ElasticIPs: parts(r.fields["elastic_ips"]),
	}
	if port := r.fields["port"]; port != "" {
		if h.Port = parsePort(port); h.Port == 0 {
			r.wrong("port", portRule)
		}
	}
	h.Vars = r.variables(varColumn)
	h.User, h.HostKey = cmp.Or(r.fields["user"], h.User), r.fields["host_key"]
	for _, f := range h.Validate(r.at) {
		r.faultAt(f.Where, "%s", f.What)
	}
	return h
}

// at is the column of a field. What is read with the address is checked there, and
// an id that is not given is derived.
func (r *record) at(field string) string {
	if field == "vars" {
		return r.where(r.line) + " " + varColumn + "NAME"
	}
	name, _, _ := strings.Cut(field, "[")
	col := columnNamed(strings.Replace(name, "agent_config.", "agent_", 1))
	if col == "address" || col == "port" || r.fields[col] == "" {
		return ""
	}
	return r.where(r.line) + " " + col
}

func (r *record) agent() *installer.AgentConfig {
	var c installer.AgentConfig
	for _, field := range installer.AgentConfigFields {
		if err := c.Set(field, r.fields["agent_"+field]); err != nil {
			r.wrong("agent_"+field, err.Error())
		}
	}
	return c.OrNil()
}

// variables are those of the columns with this prefix. An empty field is none.
func (r *record) variables(prefix string) (vars map[string]string) {
	for col, value := range r.fields {
		name, is := strings.CutPrefix(col, prefix)
		if !is || value == "" {
			continue
		}
		if vars == nil {
			vars = map[string]string{}
		}
		vars[name] = value
	}
	return vars
}

func (r *record) labels() map[string]string {
	texts := parts(r.fields["labels"])
	if len(texts) == 0 {
		return nil
	}
	labels := make(map[string]string, len(texts))
	for _, text := range texts {
		name, value := cutLabel(text)
		labels[name] = value
	}
	if len(labels) < len(texts) {
		r.wrong("labels", "has a name twice")
	}
	return labels
}

// ParseLabel reads NAME=VALUE, or NAME alone for one without a value. Errors
// do not quote the text.
func ParseLabel(text string) (name, value string, err error) {
	name, value = cutLabel(text)
	if what := installer.LabelFault(name, value); what != "" {
		return "", "", errors.New(what)
	}
	return name, value, nil
}

func cutLabel(text string) (name, value string) {
	name, value, _ = strings.Cut(text, "=")
	return strings.TrimSpace(name), strings.TrimSpace(value)
}

// parts takes a field with several values apart: by ';' or, in quotes, ','.
func parts(field string) []string {
	var all []string
	for part := range strings.FieldsFuncSeq(field, func(r rune) bool { return r == ';' || r == ',' }) {
		if part = strings.TrimSpace(part); part != "" {
			all = append(all, part)
		}
	}
	return all
}

// credentials reads the record's own, and whether the file holds any of them.
func (r *record) credentials() (cr installer.Credentials, hasSecret bool) {
	for _, col := range passwordColumns {
		r.wrong(col, passwordFault(r.fields[col]))
	}
	for _, col := range secretColumns {
		hasSecret = hasSecret || r.fields[col] != ""
	}
	cr.Password = installer.NewSecret(r.fields["password"])
	cr.SudoPassword = installer.NewSecret(r.fields["sudo_password"])
	cr.Agent.AccessKey = installer.NewSecret(r.fields["agent_access_key"])
	cr.Agent.SecretKey = installer.NewSecret(r.fields["agent_secret_key"])
	for _, f := range cr.Agent.Validate(func(field string) string { return "agent_" + field }) {
		r.wrong(f.Where, f.What)
	}
	cr.Vars = installer.SecretVars(r.variables(secretVarColumn))
	hasSecret = hasSecret || len(cr.Vars) > 0
	for _, f := range cr.Vars.Validate(installer.Within("")) {
		r.wrong(secretVarColumn+"NAME", f.What)
	}
	passphrase := installer.NewSecret(r.fields["passphrase"])
	key := r.fields["key"]
	switch {
	case key != "":
		if passphrase.IsZero() {
			passphrase = r.d.Login.Passphrase
		}
		text, inline, err := r.keys.load(key, passphrase)
		if err != nil {
			r.wrong("key", err.Error())
		}
		cr.PrivateKey, cr.Passphrase = text, passphrase
		hasSecret = hasSecret || inline
	case !passphrase.IsZero():
		r.wrong("passphrase", "has a passphrase, but the key column has no key that it could open")
	}
	return cr, hasSecret
}

// via reads the record's own route: nil for that of the defaults, and "-" for
// none at all.
func (r *record) via() []installer.Endpoint {
	switch text := r.fields["via"]; text {
	case "":
		return nil
	case "-":
		return []installer.Endpoint{}
	default:
		via, err := ParseVia(text, r.d.User, installer.DefaultPort)
		if err != nil {
			r.wrong("via", err.Error())
		}
		return via
	}
}
