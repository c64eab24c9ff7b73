package inventory

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"time"

	"tripod/installer"
	"tripod/store/kv"
	"tripod/store/tasks"
)

type knownHost struct {
	Host installer.Host `json:"host"`
	// Imported: by RegisterHosts. Tasks do not change what it says of the host.
	Imported bool `json:"imported,omitempty"`
	// Since is when it was imported last; zero: not.
	Since time.Time `json:"since,omitzero"`
	// Accepted is the newest login of a task that the host has accepted; nil: none
	// was since it was imported.
	Accepted *login `json:"accepted,omitempty"`
	// Given is the newest one that the host has said nothing of.
	Given *login `json:"given,omitempty"`
	// Turned is the number of the task since which it is reached by this way; zero:
	// always.
	Turned uint64 `json:"turned,omitempty"`
	Look   looked `json:"look,omitzero"`

	lastSeen
}

type lastSeen struct {
	Agent    installer.AgentState `json:"agent,omitempty"`
	Version  string               `json:"version,omitempty"`
	Verified time.Time            `json:"verified,omitzero"`
	// Reporting is as found with Version.
	Reporting installer.Reporting `json:"reporting,omitzero"`
	// Edition is that of the package which Version was installed from, and Before
	// what was there before that; empty: not known.
	Edition installer.Edition `json:"edition,omitempty"`
	Before  edition           `json:"before,omitzero"`
}

type edition struct {
	Version string            `json:"version"`
	Edition installer.Edition `json:"edition"`
}

func (t *Tx) findHost(project, id string) *knownHost {
	return kv.GetRow[knownHost](t.Tx.Tx, THosts, kv.Join(project, id))
}

func (t *Tx) knownHost(project, id string) (*knownHost, error) {
	k := t.findHost(project, id)
	if k == nil {
		return nil, kv.NotFound("host", id)
	}
	return k, nil
}

// putHost stores k in the place of old, which may be nil.
func (t *Tx) putHost(project string, old, k *knownHost) {
	if at := placeKey(project, k.Host); old == nil || !bytes.Equal(placeKey(project, old.Host), at) {
		if old != nil {
			t.Del(TPlaces, placeKey(project, old.Host))
		}
		t.Put(TPlaces, at, nil)
	}
	t.PutRow(THosts, kv.Join(project, k.Host.ID), 0, k)
}

// dropHost drops the host, and all that is sealed for it but a jump host's login.
func (t *Tx) dropHost(project string, h installer.Host) {
	for _, part := range apart(project, h.ID, installer.Credentials{}) {
		t.dropLogin(part.at)
	}
	t.Del(TPlaces, placeKey(project, h))
	t.Del(THosts, kv.Join(project, h.ID))
	t.dropTaskLogins(project, h.ID)
}

// RegisterHost remembers the host of a new invocation, and its credentials if
// it came with some. What a user said of the host stays.
func (t *Tx) RegisterHost(r *tasks.Record, sealed []byte) {
	old := t.findHost(r.ProjectID, r.Host.ID)
	k := knownHost{Host: r.Host}
	if old != nil {
		k = *old
	}
	// Work on another machine, or by another way, does not change where the kept
	// login goes until it has been let in there.
	if old != nil && !old.Imported {
		adopt := old.Host.SameRoute(r.Host)
		if !adopt && sealed != nil && !t.isKept(k.Accepted) {
			wasReached := !old.Verified.IsZero() || len(t.pins(r.ProjectID, old.Host.HostPort())) > 0
			adopt = !wasReached || old.Host.SameMachine(r.Host)
		}
		if adopt {
			k.becomes(r, old.Host.SameMachine(r.Host))
		}
	}
	if sealed != nil {
		t.putLogin(taskLogin(r.BatchID, r.ID), sealed)
		if k.Accepted.isOf(r) { // a new one in the place of the accepted one
			k.Accepted = nil
		}
		k.Given, k.Look = loginOf(r), looked{}
	}
	t.putHost(r.ProjectID, old, &k)
}

// becomes takes over what a task says of a host that nobody has imported. same: it
// is the machine that was known.
func (k *knownHost) becomes(r *tasks.Record, same bool) {
	old := k.Host
	k.Host = r.Host
	if !old.SameMachine(r.Host) {
		k.Turned = r.Seq
	}
	if len(r.Host.Labels) == 0 {
		k.Host.Labels = old.Labels
	}
	k.Host.Agent = r.Host.Agent.Or(old.Agent)
	if len(r.Host.Vars) == 0 {
		k.Host.Vars = old.Vars
	}
	if !same { // nobody has looked at this one yet
		k.lastSeen = lastSeen{}
	}
}

// NoteAgent remembers what an attempt has found of the agent on its host.
func (t *Tx) NoteAgent(r *tasks.Record, tr installer.Transition) {
	found := tr.Outcome.Agent
	if tr.State == installer.Succeeded && r.Task() == installer.Rollback && r.Spec.Restore == "" {
		found = installer.AgentNone // it was uninstalled
	}
	if found == "" || r.Spec.Target != installer.TargetTelescope {
		return
	}
	k := t.findHost(r.ProjectID, r.Host.ID)
	if k == nil || !t.WorkedOn(k.Host, r) {
		return
	}
	was := edition{k.Version, k.Edition}
	if k.Agent = found; found != installer.AgentUnknown { // else the rest is as it was last verified
		k.Verified, k.Version, k.Reporting = tr.At, "", tr.Outcome.Reporting
		if found != installer.AgentNone {
			k.Version = cmp.Or(tr.Outcome.TargetVersion, tr.Outcome.CurrentVersion)
		}
		k.noteEdition(r, tr, was)
	}
	t.putHost(r.ProjectID, k, k)
}

// noteEdition follows the edition on a host: that of the package that was installed, after a ROLLBACK
// the one before, unknown where another version has appeared. was is what there was until now.
func (k *lastSeen) noteEdition(r *tasks.Record, tr installer.Transition, was edition) {
	switch {
	case k.Version != "" && k.cameOf(r, tr, was):
		if k.Edition = cmp.Or(tr.Outcome.Edition, editionOf(r.Spec.Packages, k.Version)); was.Version != k.Version {
			k.Before = was
		}
	case r.Task() == installer.Rollback && k.Version != "" && k.Version == k.Before.Version:
		k.Edition, k.Before = k.Before.Edition, edition{}
	case k.Version != was.Version:
		k.Edition, k.Before = "", edition{}
	}
}

// cameOf: the version that is there was installed by r, which has ended by tr. One
// that failed may have brought it all the same, or an attempt before this one.
func (k *lastSeen) cameOf(r *tasks.Record, tr installer.Transition, was edition) bool {
	switch task := r.Task(); {
	case r.Spec.CheckOnly, tr.Outcome.Configured, task != installer.Install && task != installer.Update && task != installer.RemoteInstall:
		return false
	case tr.State == installer.Succeeded:
		return tr.Outcome.Changed || !tr.Outcome.Skipped
	}
	return tr.Outcome.Changed && k.Version != was.Version &&
		slices.ContainsFunc(r.Spec.Packages, func(p installer.BlobRef) bool { return p.Version == k.Version })
}

// KnownHost implements installer.Ledger.
func (s *Inventory) KnownHost(ctx context.Context, project, id string) (installer.Host, error) {
	return kv.Read(ctx, s, func(t *Tx) (host installer.Host, err error) {
		k, err := t.knownHost(project, id)
		if err != nil {
			return host, err
		}
		return k.Host, nil
	})
}

func (s *Inventory) Hosts(ctx context.Context, project string, f installer.HostFilter) (installer.HostPage, error) {
	if err := kv.CheckProject(project); err != nil {
		return installer.HostPage{}, err
	}
	return kv.Read(ctx, s, func(t *Tx) (installer.HostPage, error) {
		page := installer.HostPage{Hosts: []installer.KnownHost{}}
		walk := t.All(THosts, kv.Join(project))
		if f.IDs != nil {
			walk = func(yield func(key, row []byte) bool) {
				for _, id := range slices.Compact(slices.Sorted(slices.Values(f.IDs))) {
					if row := t.Get(THosts, kv.Join(project, id)); row != nil && !yield(nil, row) {
						return
					}
				}
			}
		}
		for _, row := range walk {
			onPage := page.Count >= f.Offset && (f.Limit <= 0 || len(page.Hosts) < f.Limit)
			if !onPage && len(f.Labels) == 0 {
				page.Count++
				continue
			}
			var k knownHost
			t.ReadRow(row, &k)
			if !k.Host.HasLabels(f.Labels) {
				continue
			}
			if page.Count++; onPage {
				page.Hosts = append(page.Hosts, s.describe(t, project, &k))
			}
		}
		return page, nil
	})
}

func (s *Inventory) describe(t *Tx, project string, k *knownHost) installer.KnownHost {
	return installer.KnownHost{
		Host: k.Host, Agent: cmp.Or(k.Agent, installer.AgentUnknown), Version: k.Version, Edition: k.Edition, Verified: k.Verified, Reporting: k.Reporting,
		Login:    len(s.kept(t, t.loginsFor(project, k, k.Host)...)) > 0,
		JumpHost: t.Get(TSetUp, kv.Join(project, k.Host.ID)) != nil,
	}
}

// editionOf tells the edition of an agent that was installed from the packages; empty if
// they do not tell, or do not agree.
func editionOf(packages []installer.BlobRef, version string) installer.Edition {
	others := func(p installer.BlobRef) bool { return p.Version != version }
	if of := slices.DeleteFunc(slices.Clone(packages), others); len(of) > 0 {
		packages = of
	}
	if len(packages) == 0 || slices.ContainsFunc(packages, func(p installer.BlobRef) bool { return p.Edition != packages[0].Edition }) {
		return ""
	}
	return packages[0].Edition
}

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
