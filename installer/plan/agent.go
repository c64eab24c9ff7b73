package plan

import (
	"cmp"

	"tripod/installer"
)

// AgentSource is a place where the agent's configuration comes from.
type AgentSource struct {
	What string // for people
	Keys bool   // the access key and the secret key come from there, too
}

// AgentSources are the places in the order in which they count, field by field; the two keys
// count together. docs/telescope.md has the table.
var AgentSources = []AgentSource{
	{"columns or fields of the host in this task, or else those of its import", true},
	{"labels of the host: `agent.region`, `agent.endpoint`, `agent.project_id`, `agent.instance_id`, `agent.bms`", false},
	{"flags: `--agent-region`, `--agent-endpoint`, `--agent-project-id`, `--agent-bms`, `--ask-agent-keys`", true},
	{"the command's `--agent-config FILE`", true},
	{"the daemon's `serve --agent-config PROJECT=FILE`", true},
	{"the daemon's `serve --agent-config FILE`, for all projects", false},
	{"the agent that is on the host", true},
	{"the package", true},
}

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

// configure completes the item's own configuration with that of all hosts, in the order of AgentSources.
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
