package plan

import "tripod/installer"

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
// secret variables. What is brought with it counts before that of old.
func (q *planning) besideLogin(item *Item, creds *installer.Credentials, brought installer.Credentials, inv, old *installer.Invocation) (err error) {
	creds.Agent, creds.Vars = installer.AgentKeys{}, nil
	if configures(inv.Task(), inv.Spec) {
		creds.Agent, err = q.keysAgain(brought.Agent, inv.Host, old)
		item.given = item.given && creds.Agent == brought.Agent
	}
	if err != nil || inv.Spec.Script == nil {
		return err
	}
	kept, err := q.Store.ScriptVars(q.ctx, q.Project, inv.Host, old)
	if err == nil && len(kept) == 0 {
		kept, err = q.Store.ScriptVars(q.ctx, q.Project, inv.Host, nil)
	}
	item.given = item.given && len(kept) == 0
	creds.Vars = brought.Vars.Over(kept)
	return err
}
