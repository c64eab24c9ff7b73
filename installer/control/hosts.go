package control

import (
	"context"
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
}

type hostList struct {
	Hosts []installer.KnownHost `json:"hosts"`
	Count int64                 `json:"count"` // all that match
}

type wireIDs struct {
	IDs []string `json:"instance_ids,omitempty"`
}

func (s service) hostRoutes() []api.Route {
	return []api.Route{
		{Method: http.MethodGet, Pattern: root + "/hosts", Handle: s.hosts},
		{Method: http.MethodPost, Pattern: root + "/hosts", MaxBody: maxSubmission, Wait: longest, Handle: s.registerHosts},
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
	u := newUnpacker(w.Logins)
	entries := u.hosts(w.Hosts)
	if err := u.faults.Err(); err != nil {
		return nil, err
	}
	for i := range entries {
		entries[i].Host.DeriveIPs()
	}
	return struct{}{}, refusal(s.Store.RegisterHosts(r.Context(), r.Principal.Project, entries))
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
	var p packer
	w := wireHosts{Hosts: p.hosts(entries)}
	w.Logins = p.logins
	return c.change(ctx, project, http.MethodPost, c.path("hosts"), w, new(struct{}), "", "")
}

// RemoveHosts forgets hosts, all or none.
func (c *Client) RemoveHosts(ctx context.Context, project string, ids []string) error {
	return c.change(ctx, project, http.MethodPost, c.path("hosts", "remove"), wireIDs{ids}, new(struct{}), "host", fmt.Sprint(ids))
}
