package control

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"tripod/installer"
	"tripod/installer/api"
)

// Roster keeps the known hosts.
type Roster interface {
	Hosts(ctx context.Context, project string, f installer.HostFilter) (installer.HostPage, error)
	RegisterHosts(ctx context.Context, project string, entries []installer.HostEntry) error
	RemoveHosts(ctx context.Context, project string, ids []string) error
	// HostAt finds one by its address. ErrNotFound.
	HostAt(ctx context.Context, project string, at installer.Host) (installer.Host, error)
}

// HostsAt finds known hosts by their addresses, in the order asked for; nil:
// not known.
func HostsAt(ctx context.Context, r Roster, project string, at []installer.Host) ([]*installer.Host, error) {
	found := make([]*installer.Host, len(at))
	for i, h := range at {
		known, err := r.HostAt(ctx, project, h)
		if err == nil {
			found[i] = &known
		} else if !errors.Is(err, installer.ErrNotFound) {
			return nil, err
		}
	}
	return found, nil
}

type hostList struct {
	Hosts []installer.KnownHost `json:"hosts"`
	Count int64                 `json:"count"` // all that match
}

// wireHosts are hosts to be known, with their credentials packed.
type wireHosts struct {
	Logins []wireLogin `json:"logins,omitempty"`
	Hosts  []wireHost  `json:"hosts,omitempty"`
}

type wireHost struct {
	Where string         `json:"where"`
	Host  installer.Host `json:"host"`
	wireCredentials
}

type wireIDs struct {
	IDs []string `json:"instance_ids,omitempty"`
}

// wireAt asks which hosts are known at these addresses.
type wireAt struct {
	Hosts []installer.Host `json:"hosts,omitempty"`
}

type foundAt struct {
	Hosts []*installer.Host `json:"hosts"`
}

func (s service) hostRoutes() []api.Route {
	return []api.Route{
		{Method: http.MethodGet, Pattern: root + "/hosts", Handle: s.hosts},
		{Method: http.MethodPost, Pattern: root + "/hosts", MaxBody: maxSubmission, Wait: longest, Handle: s.registerHosts},
		{Method: http.MethodPost, Pattern: root + "/hosts/at", MaxBody: maxSubmission, Wait: longest, Rights: installer.ReadRights, Handle: s.hostsAt},
		{Method: http.MethodPost, Pattern: root + "/hosts/remove", Handle: s.removeHosts},
	}
}

// hosts: labels are `label=NAME=VALUE`, ids `instance_id`, each any number of times.
func (s service) hosts(r *api.Request) (any, error) {
	q := r.URL.Query()
	f := installer.HostFilter{IDs: q["instance_id"], Labels: map[string]string{}}
	for _, label := range q["label"] {
		name, value, _ := strings.Cut(label, "=")
		f.Labels[name] = value
	}
	var err error
	if f.Offset, err = numberOf(r, "offset", 0, 0, math.MaxInt32); err != nil {
		return nil, err
	}
	limit, err := numberOf(r, "limit", 1000, 1, 1000)
	if err != nil {
		return nil, err
	}
	f.Limit = int(limit)
	page, err := s.Store.Hosts(r.Context(), r.Principal.Project, f)
	return hostList{page.Hosts, page.Count}, err
}

func (s service) registerHosts(r *api.Request) (any, error) {
	var w wireHosts
	if err := decode(r.Body, &w); err != nil {
		return nil, err
	}
	if len(w.Hosts) == 0 || len(w.Hosts) > maxItems {
		return nil, installer.Faults{{Where: "hosts", What: fmt.Sprintf("must be 1 to %d", maxItems)}}
	}
	c := &checker{service: s, ctx: r.Context(), who: r.Principal, unpacker: newUnpacker(w.Logins)}
	entries := make([]installer.HostEntry, len(w.Hosts))
	for i, h := range w.Hosts {
		where := h.Where
		if where == "" {
			where = fmt.Sprintf("hosts[%d]", i)
		}
		if what := installer.TextFault(h.Where); what != "" {
			c.faults.Add(fmt.Sprintf("hosts[%d].where", i), "%s", what)
		}
		c.faults = append(c.faults, h.Host.Validate(installer.Within(where))...)
		h.Host.DeriveIPs()
		entries[i] = installer.HostEntry{Where: h.Where, Host: h.Host, Credentials: c.credentials(where, h.wireCredentials)}
	}
	if err := c.faults.Err(); err != nil {
		return nil, err
	}
	return struct{}{}, refusal(s.Store.RegisterHosts(r.Context(), r.Principal.Project, entries))
}

func (s service) hostsAt(r *api.Request) (any, error) {
	var w wireAt
	if err := decode(r.Body, &w); err != nil {
		return nil, err
	}
	found, err := HostsAt(r.Context(), s.Store, r.Principal.Project, w.Hosts)
	return foundAt{found}, err
}

func (s service) removeHosts(r *api.Request) (any, error) {
	var w wireIDs
	if err := decode(r.Body, &w); err != nil {
		return nil, err
	}
	return struct{}{}, refusal(s.Store.RemoveHosts(r.Context(), r.Principal.Project, w.IDs))
}

// Hosts returns a page of known hosts.
func (c *Client) Hosts(ctx context.Context, project string, f installer.HostFilter) (installer.HostPage, error) {
	q := url.Values{"offset": {strconv.FormatInt(f.Offset, 10)}, "instance_id": f.IDs}
	if f.Limit > 0 {
		q.Set("limit", strconv.Itoa(min(f.Limit, 1000)))
	}
	for name, value := range f.Labels {
		q.Add("label", name+"="+value)
	}
	var list hostList
	err := c.change(ctx, project, http.MethodGet, c.path("hosts")+"?"+q.Encode(), nil, &list, "", "")
	return installer.HostPage{Hosts: list.Hosts, Count: list.Count}, err
}

// RegisterHosts makes hosts known, all or none.
func (c *Client) RegisterHosts(ctx context.Context, project string, entries []installer.HostEntry) error {
	var w wireHosts
	var p packer
	for _, e := range entries {
		w.Hosts = append(w.Hosts, wireHost{cut(e.Where), e.Host, p.credentials(e.Credentials)})
	}
	w.Logins = p.logins
	return c.change(ctx, project, http.MethodPost, c.path("hosts"), w, new(struct{}), "", "")
}

// RemoveHosts forgets hosts, all or none.
func (c *Client) RemoveHosts(ctx context.Context, project string, ids []string) error {
	return c.change(ctx, project, http.MethodPost, c.path("hosts", "remove"), wireIDs{ids}, new(struct{}), "host", fmt.Sprint(ids))
}

// HostsAt finds known hosts by their addresses.
func (c *Client) HostsAt(ctx context.Context, project string, at []installer.Host) ([]*installer.Host, error) {
	var found foundAt
	err := c.change(ctx, project, http.MethodPost, c.path("hosts", "at"), wireAt{at}, &found, "", "")
	if err == nil && len(found.Hosts) != len(at) {
		err = errors.New("the daemon's answer does not fit what was asked")
	}
	return found.Hosts, err
}
