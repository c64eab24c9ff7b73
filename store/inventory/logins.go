package inventory

import (
	"context"
	"slices"

	"tripod/installer"
	"tripod/store/tasks"
)

// Which login counts for a host: what it was imported with; else the newest that it has accepted;
// else the newest that came with a task; for a jump host that has none of these, what it was made
// one with. A mistyped one serves its own task alone. Each is bound to the way that it was given for
// (installer.Host.SameRoute).

// login is one that came with a task.
type login struct {
	Batch string         `json:"batch"`
	ID    string         `json:"invocation"`
	Seq   uint64         `json:"seq"`
	Host  installer.Host `json:"host"` // as it was given for
}

func loginOf(r *tasks.Record) *login { return &login{r.BatchID, r.ID, r.Seq, r.Host} }

func (l *login) isOf(r *tasks.Record) bool { return l != nil && l.ID == r.ID }

func (t *Tx) isKept(l *login) bool {
	return l != nil && t.Get(TSealed, taskLogin(l.Batch, l.ID)) != nil
}

// loginsFor are where a host's credentials may be, as far as they may be sent to
// where the caller is about to send them, in the order in which they count.
func (t *Tx) loginsFor(project string, k *knownHost, to installer.Host) (all [][]byte) {
	if k.Host.SameRoute(to) {
		all = append(all, importedLogin(project, k.Host.ID))
	}
	for _, l := range []*login{k.Accepted, k.Given} {
		if l != nil && l.Host.SameRoute(to) {
			all = append(all, taskLogin(l.Batch, l.ID))
		}
	}
	if jump := t.jumpHost(project, k.Host.ID); jump != nil && jump.Host.SameRoute(to) {
		all = append(all, jumpLogin(project, k.Host.ID))
	}
	return all
}

// HostCredentials implements installer.Ledger.
func (s *Inventory) HostCredentials(ctx context.Context, project string, to installer.Host) (installer.Credentials, error) {
	return s.openFirst(ctx, project, to.ID, func(t *Tx) ([][]byte, error) {
		k, err := t.knownHost(project, to.ID)
		if err != nil {
			return nil, err
		}
		return t.loginsFor(project, k, to), nil
	})
}

// CredentialsAgain implements installer.Ledger.
func (s *Inventory) CredentialsAgain(ctx context.Context, old *installer.Invocation) (host installer.Host, c installer.Credentials, err error) {
	c, err = s.openFirst(ctx, old.ProjectID, old.Host.ID, func(t *Tx) ([][]byte, error) {
		k, err := t.knownHost(old.ProjectID, old.Host.ID)
		if err != nil {
			return nil, err
		}
		host = k.Host
		r, err := t.LoadIn(old.ProjectID, old.ID)
		if err != nil {
			return nil, err
		}
		if own := taskLogin(r.BatchID, r.ID); t.ownCounts(k, r) {
			if len(s.kept(t, own)) > 0 {
				host.Endpoint, host.Via, host.RouteChoice = old.Host.Endpoint, old.Host.Via, old.Host.RouteChoice
				return append([][]byte{own}, t.loginsFor(old.ProjectID, k, host)...), nil
			}
		}
		return t.loginsFor(old.ProjectID, k, k.Host), nil
	})
	return host, c, err
}

// AgentKeys implements installer.Ledger.
func (s *Inventory) AgentKeys(
	ctx context.Context, project string, to installer.Host, of *installer.Invocation,
) (installer.AgentKeys, error) {
	c, err := s.besideLogin(ctx, project, to, of, importedKeys)
	return c.Agent, err
}

// ScriptVars implements installer.Ledger.
func (s *Inventory) ScriptVars(
	ctx context.Context, project string, to installer.Host, of *installer.Invocation,
) (installer.Vars, error) {
	c, err := s.besideLogin(ctx, project, to, of, importedVars)
	return c.Vars, err
}

// besideLogin opens what came with a task; of nil: what was imported under that key. Zero: none.
func (s *Inventory) besideLogin(ctx context.Context, project string, to installer.Host, of *installer.Invocation,
	imported func(project, host string) []byte) (installer.Credentials, error) {
	c, err := s.openFirst(ctx, project, to.ID, func(t *Tx) ([][]byte, error) {
		if of != nil {
			return [][]byte{taskLogin(of.BatchID, of.ID)}, nil
		}
		if k := t.findHost(project, to.ID); k != nil && k.Host.SameRoute(to) {
			return [][]byte{imported(project, to.ID)}, nil
		}
		return nil, nil
	})
	if isMissing(err) {
		err = nil
	}
	return c, err
}

// ownCounts reports whether r is done again with the login that it came with: not if
// the host is another machine now, or is known better since r.
func (t *Tx) ownCounts(k *knownHost, r *tasks.Record) bool {
	if k.Host.HostPort() != r.Host.HostPort() {
		return false
	}
	// What the user has said of the host since then counts.
	if k.Imported && (k.Since.IsZero() || k.Since.After(r.Created)) &&
		(t.Get(TSealed, importedLogin(r.ProjectID, k.Host.ID)) != nil || !k.Host.SameRoute(r.Host)) {
		return false
	}
	if k.Host.SameMachine(r.Host) {
		return !t.isKept(k.Accepted) || k.Accepted.Seq <= r.Seq || !k.Accepted.Host.SameRoute(k.Host)
	}
	return k.Imported || r.Seq >= k.Turned // another way is r's own if r was sent since the host is known by this one
}

// NoteLogin remembers what the host has said of r's login, as far as the steps and
// the result tell: that it is right, or that it is wrong.
func (t *Tx) NoteLogin(r *tasks.Record, right, wrong bool) {
	k := t.findHost(r.ProjectID, r.Host.ID)
	if k == nil || !right && !wrong || !t.isKept(loginOf(r)) {
		return
	}
	old := *k
	switch {
	case !right:
		// Where the host has never let anybody in, its sshd may be what is wrong.
		if !k.Given.isOf(r) || k.Accepted == nil && t.Get(TSealed, importedLogin(r.ProjectID, k.Host.ID)) == nil {
			return
		}
		k.Given = nil // it serves a RETRY of r, and nothing else
	case k.Accepted.isOf(r):
		return
	default:
		k.Accepted = loginOf(r)
		if k.Given.isOf(r) {
			k.Given = nil
		}
		if !k.Imported && !k.Host.SameRoute(r.Host) {
			k.becomes(r, t.WorkedOn(k.Host, r))
		}
	}
	t.putHost(r.ProjectID, &old, k)
}

// BecameRoot: the steps tell that sshd has accepted the login, and sudo, where it is
// needed, too.
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
	return wentWell(tr.Steps, installer.StepConnect) || tr.State == installer.Succeeded, tr.Kind == installer.KindAuthRejected && !byJumpHost(tr.Steps)
}

// byJumpHost: a jump host has ended the attempt, and the host knows nothing of it.
func byJumpHost(steps []installer.StepRecord) bool {
	return slices.ContainsFunc(steps, func(s installer.StepRecord) bool { return s.Kind != "" && s.JumpHost })
}
