package inventory

import (
	"context"
	"slices"

	"tripod/installer"
	"tripod/store/kv"
	"tripod/store/tasks"
)

// Which login counts for a host: what it was imported with; else the newest that
// it has accepted; else, until it has accepted one, the newest that came with a
// task. A mistyped one serves its own task, and takes no other's place. Each is
// bound to the way that it was given for (installer.Host.SameRoute).

// loginsFor are where a host's credentials may be, as far as they may be sent to
// where the caller is about to send them, in the order in which they count.
func (t *Tx) loginsFor(project string, k *knownHost, to installer.Host) ([][]byte, error) {
	var all [][]byte
	if own := hostLogin(project, k.Host.ID); t.Get(TSealed, own) != nil && k.Host.SameRoute(to) {
		all = append(all, own)
	}
	tasks := []string{k.Invocation}
	if k.Given != k.Invocation {
		tasks = append(tasks, k.Given)
	}
	for _, id := range tasks {
		r, err := t.cameWith(project, k, id)
		if err != nil {
			return nil, err
		}
		if r != nil && r.Host.SameRoute(to) {
			all = append(all, taskLogin(r))
		}
	}
	setUp, err := t.setUpHost(project, k.Host.ID)
	if err == nil && setUp != nil && setUp.Host.SameRoute(to) {
		all = append(all, jumpLogin(project, k.Host.ID))
	}
	return all, err
}

// cameWith is the invocation that a kept login came with; nil: it is not kept any
// more.
func (t *Tx) cameWith(project string, k *knownHost, id string) (*tasks.Record, error) {
	if id == "" {
		return nil, nil
	}
	r, err := t.Load(id)
	if err != nil || r == nil || r.ProjectID != project || r.Host.ID != k.Host.ID || !t.bringsLogin(r) {
		return nil, err
	}
	return r, nil
}

// bringsLogin: a login came with r, and is not erased.
func (t *Tx) bringsLogin(r *tasks.Record) bool { return t.Get(TSealed, taskLogin(r)) != nil }

// NoteLogin remembers what the host has said of r's login, as far as the steps and
// the result tell: that it is right, or that it is wrong.
func (t *Tx) NoteLogin(r *tasks.Record, right, wrong bool) error {
	if !right && !wrong || !t.bringsLogin(r) {
		return nil
	}
	k, err := t.KnownHost(r.ProjectID, r.Host.ID)
	if err != nil || k == nil {
		return err
	}
	old := *k
	switch {
	case !right:
		// Where the host has never let anybody in, its sshd may be what is wrong.
		if k.Given != r.ID || k.Invocation == "" && t.Get(TSealed, hostLogin(r.ProjectID, k.Host.ID)) == nil {
			return nil
		}
		k.Given = "" // it serves a RETRY of r, and nothing else
	case k.Invocation == r.ID:
		return nil
	default:
		k.Invocation = r.ID
		if k.Given == r.ID {
			k.Given = ""
		}
		if !k.Imported && !k.Host.SameRoute(r.Host) {
			k.becomes(r, t.WorkedOn(k.Host, r))
		}
	}
	t.putHost(r.ProjectID, &old, k)
	return nil
}

// loggedIn: the steps tell that sshd has accepted the login.
func loggedIn(steps []installer.StepRecord) bool { return wentWell(steps, installer.StepConnect) }

// BecameRoot: they tell that sudo, where it is needed, has accepted it too.
func BecameRoot(steps []installer.StepRecord) bool { return wentWell(steps, installer.StepProbe) }

func wentWell(steps []installer.StepRecord, step installer.Step) bool {
	return slices.ContainsFunc(steps, func(s installer.StepRecord) bool { return s.Step == step && s.Kind == "" })
}

// SaidOfLogin is what the end of an attempt tells of its login. A mistyped sudo
// password is a mistyped one, though sshd lets in who has it.
func SaidOfLogin(tr installer.Transition) (right, wrong bool) {
	if tr.Kind == installer.KindSudoDenied {
		return false, true
	}
	return loggedIn(tr.Steps) || tr.State == installer.Succeeded, tr.Kind == installer.KindAuthRejected
}

// CredentialsAgain implements installer.Ledger.
func (s *Inventory) CredentialsAgain(ctx context.Context, old *installer.Invocation) (installer.Host, installer.Credentials, error) {
	var host installer.Host
	c, err := s.openFirst(ctx, old.ProjectID, old.Host.ID, func(t *Tx) ([][]byte, error) {
		k, err := t.KnownHost(old.ProjectID, old.Host.ID)
		if err != nil {
			return nil, err
		}
		if k == nil {
			return nil, kv.NotFound("host", old.Host.ID)
		}
		host = k.Host
		own, err := t.ownOf(k, old)
		if err != nil {
			return nil, err
		}
		if own != nil {
			rows, err := s.kept(t, [][]byte{own})
			if err != nil {
				return nil, err
			}
			if len(rows) > 0 {
				host.Endpoint, host.Via, host.RouteChoice = old.Host.Endpoint, old.Host.Via, old.Host.RouteChoice
				return [][]byte{own}, nil
			}
		}
		return t.loginsFor(old.ProjectID, k, k.Host)
	})
	return host, c, err
}

// ownOf is the login that old came with; nil: it has none any more, the host is
// another machine now, or it is known better since old.
func (t *Tx) ownOf(k *knownHost, old *installer.Invocation) ([]byte, error) {
	r, err := t.LoadIn(old.ProjectID, old.ID)
	if err != nil || !t.bringsLogin(r) || k.Host.HostPort() != r.Host.HostPort() {
		return nil, err
	}
	// What the user has said of the host since then counts.
	since := k.Imported && (k.Since.IsZero() || k.Since.After(r.Created))
	if since && (t.Get(TSealed, hostLogin(old.ProjectID, k.Host.ID)) != nil || !k.Host.SameRoute(r.Host)) {
		return nil, nil
	}
	accepted, err := t.cameWith(old.ProjectID, k, k.Invocation)
	if err != nil {
		return nil, err
	}
	if k.Host.SameMachine(r.Host) {
		if accepted != nil && accepted.Seq > r.Seq && accepted.Host.SameRoute(k.Host) {
			return nil, nil
		}
	} else if !k.Imported && r.Seq < k.Turned {
		return nil, nil // another way is r's own if r was sent since the host is known by this one
	}
	return taskLogin(r), nil
}
