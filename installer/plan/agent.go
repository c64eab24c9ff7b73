package plan

import (
	"cmp"

	"tripod/installer"
)

// configures reports whether the task gives the agent a configuration.
func configures(task installer.Type, spec installer.Spec) bool {
	return (installs(task) || task == installer.Configure) && spec.Script == nil && !spec.CheckOnly
}

// ownKeys returns the agent's keys of one host: those given with the task, else the imported ones.
func (q *planning) ownKeys(to installer.Host, given installer.AgentKeys) (installer.AgentKeys, error) {
	if !given.IsZero() || !configures(q.Task, q.Spec) {
		return given, nil
	}
	return q.Store.AgentKeys(q.ctx, q.Project, to, nil)
}

// configure completes the item's own configuration with that of all hosts, field by field in the order of the
// table in docs/telescope.md; the two keys count together.
func (q *planning) configure(item *Item) {
	spec, keys, host := &item.Invocation.Spec, &item.Credentials.Agent, item.Invocation.Host
	if !configures(q.Task, q.Spec) {
		spec.Agent, *keys = nil, installer.AgentKeys{}
		return
	}
	config, defaults := q.AgentDefaults(q.Project)
	spec.Agent = agentOf(host).Or(q.Spec.Agent).Or(config)
	given := !keys.IsZero() || !q.AgentKeys.IsZero() || defaults.IsZero()
	item.given = item.given && given
	*keys = cmp.Or(*keys, q.AgentKeys, defaults)
	if q.Task == installer.Configure && spec.Agent == nil && keys.IsZero() {
		const nothing = "no agent configuration is given for it: see --agent-config and --agent-region"
		item.Refused = cmp.Or(item.Refused, refuse(NotAllowed, nothing))
	}
}

// refuseSharedIDs refuses hosts whose agents are given one instance id: to Cloud Eye they would be one.
func refuseSharedIDs(items []Item) {
	first := map[string]*Item{}
	refuseOne := func(item, other *Item) {
		item.Refused = cmp.Or(item.Refused, refuse(SharedAgentID, "the instance id of its agent is also given to "+other.place()))
		item.Failed = true
	}
	for i := range items {
		item := &items[i]
		config := item.Invocation.Spec.Agent
		if config == nil || config.InstanceID == "" || item.Standing != "" {
			continue
		}
		if other := first[config.InstanceID]; other != nil {
			refuseOne(other, item)
			refuseOne(item, other)
			continue
		}
		first[config.InstanceID] = item
	}
}
