package plan

import (
	"context"

	"tripod/installer"
)

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

// again is where what old was given is to be sent by a RETRY.
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
