package inventory

import (
	"slices"
	"time"

	"tripod/installer"
	"tripod/store/tasks"
)

// looked is what the daemon's looks at a host have found, apart from the agent. A login that comes with
// a task, or an import, resets it.
type looked struct {
	At       time.Time `json:"at,omitzero"`
	Failed   int       `json:"failed,omitempty"`   // in a row
	Rejected bool      `json:"rejected,omitempty"` // the host has refused the login that is kept for it
}

// LookHost reports whether a known host can be looked at. One that has refused its login is left alone
// until another is known: servers lock accounts for less.
func (s *Inventory) LookHost(t *Tx, project, id string) (h installer.LookHost, ok bool) {
	k := t.findHost(project, id)
	if k == nil || k.Look.Rejected || len(s.kept(t, t.loginsFor(project, k, k.Host)...)) == 0 {
		return h, false
	}
	h = installer.LookHost{Project: project, ID: id, Seen: k.Verified, Failed: k.Look.Failed}
	if k.Look.At.After(h.Seen) {
		h.Seen = k.Look.At
	}
	return h, true
}

var rejections = []installer.Kind{installer.KindAuthRejected, installer.KindPasswordExpired, installer.KindSudoDenied}

// NoteLook remembers what a look has found: nothing of a host that a task works on, or has worked on
// since the look began.
func (t *Tx) NoteLook(r *tasks.Record, tr installer.Transition) {
	k := t.findHost(r.ProjectID, r.Host.ID)
	if k == nil || k.Verified.After(r.Created) || len(t.OpenOn(r.ProjectID, r.Host.ID)) > 0 || !t.WorkedOn(k.Host, r) {
		return
	}
	k.Look.At = tr.At
	if k.Look.Failed++; tr.State == installer.Succeeded {
		k.Look = looked{At: tr.At}
	}
	k.Look.Rejected = slices.Contains(rejections, tr.Kind) && !byJumpHost(tr.Steps)
	t.putHost(r.ProjectID, k, k)
	t.NoteAgent(r, tr)
}
