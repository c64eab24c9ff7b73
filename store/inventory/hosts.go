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

// knownHost is a host of the inventory: which credentials count for it, and what
// was last seen of its agent.
type knownHost struct {
	Host installer.Host `json:"host"`
	// Imported: by RegisterHosts. Tasks do not change what it says of the host.
	Imported bool `json:"imported,omitempty"`
	// Since is when it was imported last; zero: not.
	Since time.Time `json:"since,omitzero"`
	// Invocation is the one with the newest credentials that were accepted by the
	// host; empty: none was since it was imported.
	Invocation string `json:"invocation,omitempty"`
	// Turned is the number of the task since which it is reached by this way; zero:
	// always.
	Turned uint64 `json:"turned,omitempty"`
	// Given is the invocation with the newest ones that the host has said nothing of.
	Given string `json:"given,omitempty"`

	Agent    installer.AgentState `json:"agent,omitempty"`
	Version  string               `json:"version,omitempty"`
	Verified time.Time            `json:"verified,omitzero"`
	// Edition is that of the package which Version was installed from, and Before
	// what was there before that; empty: not known.
	Edition installer.Edition `json:"edition,omitempty"`
	Before  edition           `json:"before,omitzero"`
}

// KnownHost returns a host, or nil.
func (t *Tx) KnownHost(project, id string) (*knownHost, error) {
	row := t.Get(THosts, kv.Join(project, id))
	if row == nil {
		return nil, nil
	}
	k := &knownHost{}
	_, err := kv.ReadRow(row, k)
	return k, err
}

// putHost stores k in the place of old, which may be nil.
func (t *Tx) putHost(project string, old, k *knownHost) {
	at := placeKey(project, k.Host)
	if old == nil || !bytes.Equal(placeKey(project, old.Host), at) {
		if old != nil {
			t.Del(TPlaces, placeKey(project, old.Host))
		}
		t.Put(TPlaces, at, nil)
	}
	t.PutRow(THosts, kv.Join(project, k.Host.ID), 0, k)
}

// dropHost drops the host, and what it was imported with.
func (t *Tx) dropHost(project string, k *knownHost) {
	t.dropLogin(hostLogin(project, k.Host.ID))
	t.Del(TPlaces, placeKey(project, k.Host))
	t.Del(THosts, kv.Join(project, k.Host.ID))
}

// RegisterHost remembers the host of a new invocation, and its credentials if
// it came with some. What a user said of the host stays.
func (t *Tx) RegisterHost(r *tasks.Record, sealed []byte) error {
	old, err := t.KnownHost(r.ProjectID, r.Host.ID)
	if err != nil {
		return err
	}
	k := knownHost{Host: r.Host}
	if old != nil {
		k = *old
	}
	// Work on another machine, or by another way, does not change where the kept
	// login goes until it has been let in there.
	accepted, err := t.cameWith(r.ProjectID, &k, k.Invocation)
	if err != nil {
		return err
	}
	if old != nil && !old.Imported {
		adopt := old.Host.SameRoute(r.Host)
		if !adopt && sealed != nil && accepted == nil {
			adopt = !t.wasReached(r.ProjectID, old) || old.Host.SameMachine(r.Host)
		}
		if adopt {
			k.becomes(r, old.Host.SameMachine(r.Host))
		}
	}
	if sealed != nil {
		t.putLogin(taskLogin(r), sealed)
		if k.Invocation == r.ID { // a new one in the place of the accepted one
			k.Invocation = ""
		}
		k.Given = r.ID
	}
	t.putHost(r.ProjectID, old, &k)
	return nil
}

// wasReached: somebody was there.
func (t *Tx) wasReached(project string, k *knownHost) bool {
	return !k.Verified.IsZero() || t.isPinned(project, k.Host)
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
	if !same { // nobody has looked at this one yet
		k.forgetAgent()
	}
}

// NoteAgent remembers what an attempt has found of the agent on its host.
func (t *Tx) NoteAgent(r *tasks.Record, tr installer.Transition) error {
	found := tr.Outcome.Agent
	if tr.State == installer.Succeeded && r.Task() == installer.Rollback && r.Spec.Restore == "" {
		found = installer.AgentNone // it was uninstalled
	}
	if found == "" || r.Spec.Target != installer.TargetTelescope {
		return nil
	}
	k, err := t.KnownHost(r.ProjectID, r.Host.ID)
	if err != nil || k == nil {
		return err
	}
	if !t.WorkedOn(k.Host, r) {
		return nil
	}
	was := edition{k.Version, k.Edition}
	if k.Agent = found; found != installer.AgentUnknown { // else the rest is as it was last verified
		k.Verified, k.Version = tr.At, ""
		if found != installer.AgentNone {
			k.Version = cmp.Or(tr.Outcome.TargetVersion, tr.Outcome.CurrentVersion)
		}
		k.noteEdition(r, tr, was)
	}
	t.putHost(r.ProjectID, k, k)
	return nil
}

// KnownHost implements installer.Ledger.
func (s *Inventory) KnownHost(ctx context.Context, project, instanceID string) (host installer.Host, err error) {
	err = s.View(ctx, func(t *Tx) error {
		k, err := t.KnownHost(project, instanceID)
		if err != nil {
			return err
		}
		if k == nil {
			return kv.NotFound("host", instanceID)
		}
		host = k.Host
		return nil
	})
	return host, err
}

// Hosts returns one page of a project's known hosts.
func (s *Inventory) Hosts(ctx context.Context, project string, f installer.HostFilter) (installer.HostPage, error) {
	var page installer.HostPage
	if err := kv.CheckProject(project); err != nil {
		return page, err
	}
	err := s.View(ctx, func(t *Tx) error {
		page = installer.HostPage{Hosts: []installer.KnownHost{}}
		take := func(row []byte) error {
			onPage := page.Count >= f.Offset && (f.Limit <= 0 || len(page.Hosts) < f.Limit)
			if !onPage && len(f.Labels) == 0 {
				page.Count++
				return nil
			}
			k := knownHost{}
			if _, err := kv.ReadRow(row, &k); err != nil || !k.Host.HasLabels(f.Labels) {
				return err
			}
			page.Count++
			if !onPage {
				return nil
			}
			known, err := s.describe(t, project, &k)
			page.Hosts = append(page.Hosts, known)
			return err
		}
		if f.IDs == nil {
			for _, row := range t.All(THosts, kv.Join(project)) {
				if err := take(row); err != nil {
					return err
				}
			}
			return nil
		}
		for _, id := range slices.Compact(slices.Sorted(slices.Values(f.IDs))) {
			if row := t.Get(THosts, kv.Join(project, id)); row != nil {
				if err := take(row); err != nil {
					return err
				}
			}
		}
		return nil
	})
	return page, err
}

func (s *Inventory) describe(t *Tx, project string, k *knownHost) (installer.KnownHost, error) {
	known := installer.KnownHost{
		Host: k.Host, Agent: cmp.Or(k.Agent, installer.AgentUnknown), Version: k.Version, Edition: k.Edition, Verified: k.Verified,
		Installer: t.Get(TSetUp, kv.Join(project, k.Host.ID)) != nil,
	}
	logins, err := t.loginsFor(project, k, k.Host)
	if err != nil {
		return known, err
	}
	rows, err := s.kept(t, logins)
	known.Login = len(rows) > 0
	return known, err
}
