package api

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"tripod/installer"
	"tripod/installer/lazyregexp"
)

// List is the answer of GET agent-invocations, newest first.
type List struct {
	Invocations []Item `json:"invocations"`
	Count       int64  `json:"count"` // all that match, not only this page
}

// The API's ranges for paging.
const (
	maxOffset    = 9999999999999
	maxLimit     = 100
	defaultLimit = 100
)

func (h *handler) listInvocations(c *Request) (any, error) {
	f, err := parseFilter(c.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	f.ProjectID, f.TasksOnly = c.Principal.Project, true
	page, err := h.Store.Invocations(c.Context(), f)
	if err != nil {
		return nil, err
	}
	var open []string
	for i := range page.Invocations {
		if inv := &page.Invocations[i]; !inv.State.Terminal() {
			open = append(open, inv.Host.ID)
		}
	}
	known, err := h.KnownByID(c.Context(), c.Principal.Project, open)
	if err != nil {
		return nil, err
	}
	answer := List{Invocations: make([]Item, len(page.Invocations)), Count: page.Count}
	for i := range page.Invocations {
		inv := &page.Invocations[i]
		answer.Invocations[i] = ItemOf(inv)
		answer.Invocations[i].showLastSeen(inv, known[inv.Host.ID])
	}
	return answer, nil
}

// parameter is one query parameter: what it may be, and where it goes.
type parameter struct {
	name  string
	valid func(string) bool
	what  string // what it may be, for the error
	code  Code
	set   func(*installer.Filter, string)
}

var parameters = []parameter{
	{"instance_id", installer.IDForm.MatchString, "1–64 letters, digits and '-'", CodeURLParameter, func(f *installer.Filter, v string) { f.InstanceID = v }},
	{"instance_type", oneOf(instanceTypes), "one of " + installer.Words(instanceTypes), CodeURLParameter, func(f *installer.Filter, v string) { f.InstanceType = installer.InstanceType(v) }},
	{"invocation_id", lazyregexp.New(`^[0-9A-Za-z][0-9A-Za-z_-]*$`).MatchString, "letters, digits, '_' and '-'", CodeURLParameter, func(f *installer.Filter, v string) { f.InvocationID = v }},
	{"invocation_type", func(v string) bool { _, ok := invocationType(v); return ok }, "one of " + installer.Words(types), CodeURLParameter, func(f *installer.Filter, v string) { f.Type, _ = invocationType(v) }},
	{"invocation_target", lazyregexp.New(`^[a-z0-9][a-z0-9-]{0,31}$`).MatchString, "a target such as telescope", CodeURLParameter, func(f *installer.Filter, v string) { f.Target = v }},
	// An extension of Tripod's.
	{"status", oneOf(states), "one of " + installer.Words(states), CodeURLParameter, func(f *installer.Filter, v string) { f.State = installer.State(v) }},
	{"offset", number(0, maxOffset), "a number, 0–9999999999999", CodePaging, func(f *installer.Filter, v string) { f.Offset, _ = strconv.ParseInt(v, 10, 64) }},
	{"limit", number(1, maxLimit), "a number, 1–100", CodePaging, func(f *installer.Filter, v string) { f.Limit, _ = strconv.Atoi(v) }},
}

// parseFilter refuses what it does not know: a misspelt filter that is ignored
// selects everything.
func parseFilter(rawQuery string) (installer.Filter, error) {
	f := installer.Filter{Limit: defaultLimit}
	query, err := url.ParseQuery(rawQuery)
	if err != nil {
		return f, Refuse(http.StatusBadRequest, CodeURLParameter, "the query is not well formed")
	}
	var faults installer.Faults
	code := CodeURLParameter
	for _, p := range parameters {
		values, given := query[p.name]
		if !given {
			continue
		}
		delete(query, p.name)
		switch {
		case len(values) > 1:
			faults.Add(p.name, "given more than once")
		case !p.valid(values[0]):
			faults.Add(p.name, "must be %s", p.what)
		default:
			p.set(&f, values[0])
			continue
		}
		if len(faults) == 1 {
			code = p.code
		}
	}
	for range query {
		// Its name is the client's text, and may be anything: not repeated.
		faults.Add("query", "holds a parameter that does not exist here")
		break
	}
	if len(faults) > 0 {
		return f, Refuse(http.StatusBadRequest, code, "%s", join(faults))
	}
	return f, nil
}

func oneOf[T ~string](all []T) func(string) bool {
	return func(v string) bool { return slices.Contains(all, T(v)) }
}

// number accepts plain decimal digits only; strconv would take "+1" too.
func number(lo, hi int64) func(string) bool {
	return func(v string) bool {
		n, err := strconv.ParseInt(v, 10, 64)
		return err == nil && len(v) <= 13 && strings.Trim(v, "0123456789") == "" && n >= lo && n <= hi
	}
}
