package control

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"tripod/installer"
	"tripod/installer/api"
)

// AuditLog is what was done and by whom. Over the network a login with full
// rights reads its own project's entries and checks the chain of all of them;
// only the operator's project drops old ones.
type AuditLog interface {
	Audit(ctx context.Context, f installer.AuditFilter) ([]installer.AuditEntry, error)
	VerifyAudit(ctx context.Context, anchors ...installer.AuditAnchor) (installer.AuditReport, error)
	PruneAudit(ctx context.Context, before time.Time) (int, error)
}

type auditList struct {
	Entries []installer.AuditEntry `json:"entries"`
}

type wireVerify struct {
	Anchors []installer.AuditAnchor `json:"anchors,omitempty"`
}

type wirePrune struct {
	Before  time.Time `json:"before,omitzero"`
	Dropped int       `json:"dropped"`
}

func (s service) auditRoutes() []api.Route {
	return []api.Route{
		{Method: http.MethodGet, Pattern: root + "/audit", Rights: installer.FullRights, Handle: s.audit},
		{Method: http.MethodPost, Pattern: root + "/audit/verify", Handle: s.verifyAudit, Wait: longest},
		{Method: http.MethodPost, Pattern: root + "/audit/prune", Handle: s.pruneAudit, Wait: longest},
	}
}

func (s service) audit(r *api.Request) (any, error) {
	f := installer.AuditFilter{Project: projectsOf(r)}
	limit, err := numberOf(r, "limit", 1000, 1, 1000)
	if err != nil {
		return nil, err
	}
	after, err := numberOf(r, "after", 0, 0, 1<<62)
	if err != nil {
		return nil, err
	}
	if text := r.URL.Query().Get("since"); text != "" {
		if f.Since, err = time.Parse(time.RFC3339Nano, text); err != nil {
			return nil, installer.Faults{{Where: "since", What: "must be a time (RFC 3339)"}}
		}
	}
	f.Limit, f.After = int(limit), uint64(after)
	entries, err := s.Store.Audit(r.Context(), f)
	return auditList{entries}, err
}

func (s service) verifyAudit(r *api.Request) (any, error) {
	var w wireVerify
	if err := decode(r.Body, &w); err != nil {
		return nil, err
	}
	report, err := s.Store.VerifyAudit(r.Context(), w.Anchors...)
	return report, refusal(err)
}

func (s service) pruneAudit(r *api.Request) (any, error) {
	if err := s.operatorOnly(r, "the audit log is one for all projects"); err != nil {
		return nil, err
	}
	var w wirePrune
	if err := decode(r.Body, &w); err != nil {
		return nil, err
	}
	n, err := s.Store.PruneAudit(asProject(r), w.Before)
	return wirePrune{Dropped: n}, refusal(err)
}

// Audit returns entries of the project, or of all that the caller may see, the oldest
// first.
func (c *Client) Audit(ctx context.Context, f installer.AuditFilter) ([]installer.AuditEntry, error) {
	q := allQuery(f.Project)
	q.Set("after", strconv.FormatUint(f.After, 10))
	if f.Limit > 0 {
		q.Set("limit", strconv.Itoa(min(f.Limit, 1000)))
	}
	if !f.Since.IsZero() {
		q.Set("since", f.Since.Format(time.RFC3339Nano))
	}
	var list auditList
	err := c.change(ctx, f.Project, http.MethodGet, c.path("audit")+"?"+q.Encode(), nil, &list, "", "")
	return list.Entries, err
}

// VerifyAudit checks the chain of the daemon's whole log.
func (c *Client) VerifyAudit(ctx context.Context, anchors ...installer.AuditAnchor) (report installer.AuditReport, err error) {
	err = c.change(ctx, "", http.MethodPost, c.path("audit", "verify"), wireVerify{anchors}, &report, "", "")
	return report, err
}

// PruneAudit drops the entries before a time, and returns how many.
func (c *Client) PruneAudit(ctx context.Context, before time.Time) (int, error) {
	var w wirePrune
	err := c.change(ctx, "", http.MethodPost, c.path("audit", "prune"), wirePrune{Before: before}, &w, "", "")
	return w.Dropped, err
}
