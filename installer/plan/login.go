package plan

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"tripod/installer"
)

// login is what gets into a host: what the entry brings, else what is kept for the
// host, with its sudo password, else the project's default key.
func (q *planning) login(to installer.Host, e installer.HostEntry) (installer.Credentials, error) {
	if !e.Credentials.Login.IsZero() {
		return e.Credentials, nil
	}
	if !e.DefaultKey {
		kept, err := q.keptLogin(to)
		if err != nil || !kept.Login.IsZero() {
			return kept, err
		}
	}
	return q.defaultLogin("no password or key was given or is kept")
}

// keptLogin is what is kept for a host, as far as it may be sent there; zero: nothing.
func (q *planning) keptLogin(to installer.Host) (installer.Credentials, error) {
	creds, err := q.Store.HostCredentials(q.ctx, q.Project, to)
	if credentialMissing(err) {
		return installer.Credentials{}, nil
	}
	return creds, err
}

// credentialMissing tells "nothing is kept" from "cannot be read".
func credentialMissing(err error) bool {
	f, ok := errors.AsType[*installer.Failure](err)
	return errors.Is(err, installer.ErrNotFound) || ok && f.Kind == installer.KindCredentialMissing
}

func (q *planning) defaultLogin(missing string) (installer.Credentials, error) {
	if login, ok := q.DefaultLogins[q.Project]; ok {
		return installer.Credentials{Login: login}, nil
	}
	return installer.Credentials{}, refuse(CredentialMissing, "credential-missing: "+missing+", and the project has no default key")
}

// allGiven reports whether the credentials of a request are all that gets into the host.
func allGiven(c installer.Credentials, to installer.Host) bool {
	return !c.Login.IsZero() && to.RouteChoice == nil && len(c.Via) == len(to.Via) && !slices.ContainsFunc(c.Via, installer.Login.IsZero)
}

// lookAtPins has the host keys checked where a login is sent that did not come with the
// request: it may have been given when they were.
func (q *planning) lookAtPins(items []Item) {
	n := 0
	for i := range items {
		item := &items[i]
		if spec := &item.Invocation.Spec; !item.given && spec.HostKeys == installer.Insecure && item.Standing == "" && item.Refused == nil {
			spec.HostKeys = installer.AcceptNew
			n++
		}
	}
	if n > 0 {
		q.note("--host-keys insecure holds only where all logins, those of jump hosts too, are given with the command: %d of the hosts are checked as with accept-new", n)
	}
}

// complete fills in what the credentials that are kept for a known host lack: the
// project's default key, and the logins of the hops on the way.
func (q *planning) complete(host *installer.Host, creds installer.Credentials) (_ installer.Credentials, err error) {
	if creds.Login.IsZero() {
		creds, err = q.defaultLogin("no password or key is kept for this instance (any more)")
	}
	if err == nil && host.RouteChoice != nil {
		err = q.checkChoice(*host.RouteChoice)
	}
	if err == nil && len(creds.Via) != len(host.Via) {
		host.Via, creds.Via, err = q.hopLogins(host.Via)
	}
	return creds, err
}

// hopLogins finds the logins of the hops to a known host. That of a jump host of the project's is left
// out: it is looked up on dialling, and goes to a server with that one's host key only, so a hop
// without a pin gets that. Another hop has the project's default key.
func (q *planning) hopLogins(hops []installer.Endpoint) ([]installer.Endpoint, []installer.Login, error) {
	routes, err := q.Store.Routes(q.ctx, q.Project, installer.RouteChoice{})
	if err != nil {
		return hops, nil, err
	}
	hops = slices.Clone(hops)
	logins := make([]installer.Login, len(hops))
	for i, hop := range hops {
		for _, r := range routes {
			if r.Fail == nil && installer.SameHops(r.Hops, hops[:i+1]) {
				hops[i].HostKey = cmp.Or(hop.HostKey, r.Hops[i].HostKey)
			}
		}
		if _, found := installer.HopLogin(routes, hops[:i+1]); found {
			continue
		}
		hops[i] = hop
		if logins[i] = q.DefaultLogins[q.Project]; logins[i].IsZero() {
			return hops, nil, refuse(JumpHostCredentialMissing, "no password or key is kept for the jump host on the way any more")
		}
	}
	return hops, logins, nil
}

// addVars gives the item the script's secret variables: the host's own, which are given with the task, else
// imported, and those of all hosts.
func (q *planning) addVars(item *Item, to installer.Host, own installer.Vars) (err error) {
	if item.Credentials.Vars = nil; q.Spec.Script == nil {
		return nil
	}
	if len(own) == 0 {
		own, err = q.Store.ScriptVars(q.ctx, q.Project, to, nil)
		item.given = item.given && len(own) == 0
	}
	item.Credentials.Vars = own.Over(q.Vars)
	return err
}

// besideLogin puts into the credentials of a RETRY what goes with its login: the agent's keys, or the script's
// secret variables. What is brought with it counts before that of old, and that before what was imported.
func (q *planning) besideLogin(item *Item, creds *installer.Credentials, brought installer.Credentials, inv, old *installer.Invocation) error {
	creds.Agent, creds.Vars = installer.AgentKeys{}, nil
	again := again{planning: q, to: inv.Host, old: old}
	if configures(inv.Task(), inv.Spec) {
		creds.Agent = brought.Agent
		if creds.Agent.IsZero() {
			creds.Agent = find(&again, "the agent's keys", q.Store.AgentKeys, installer.AgentKeys.IsZero)
		}
		item.given = item.given && creds.Agent == brought.Agent
	}
	if inv.Spec.Script != nil {
		kept := find(&again, "the secret variables", q.Store.ScriptVars, func(v installer.Vars) bool { return len(v) == 0 })
		item.given = item.given && len(kept) == 0
		creds.Vars = brought.Vars.Over(kept)
	}
	return again.err
}

type again struct {
	*planning
	to  installer.Host
	old *installer.Invocation
	err error
}

// find returns what old was given, or else what was imported for the host. The first goes to no machine with
// another host key than the user had pinned then.
func find[T any](a *again, what string, stored func(context.Context, string, installer.Host, *installer.Invocation) (T, error),
	none func(T) bool) (found T) {
	if a.err != nil {
		return found
	}
	given, err := stored(a.ctx, a.Project, a.to, a.old)
	moved := a.to.HostKey != a.old.Host.HostKey
	if err == nil && (none(given) || moved) {
		found, err = stored(a.ctx, a.Project, a.to, nil)
	} else {
		found = given
	}
	if err == nil && none(found) && !none(given) {
		err = refuse(CredentialMissing, what+" were given for a machine with another host key: give them again")
	}
	a.err = err
	return found
}
