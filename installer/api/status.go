package api

import (
	"context"
	"slices"

	"tripod/installer"
)

// maxStatusIDs is the API's limit for agent-status.
const maxStatusIDs = 2000

// UniagentState is the API's uniagent_status.
type UniagentState string

const (
	UniagentNone    UniagentState = "none"    // not installed
	UniagentRunning UniagentState = "running" // healthy
	UniagentSilent  UniagentState = "silent"  // its telescope is stopped on purpose
	UniagentUnknown UniagentState = "unknown" // no news
)

// AgentStatuses is the answer of agent-status/batch-query: a row for every
// server asked for that the request's filters let through, in its order.
type AgentStatuses struct {
	AgentStatus []AgentStatus `json:"agent_status"`
}

// AgentStatus is what is known of one server.
type AgentStatus struct {
	InstanceID     string        `json:"instance_id"`
	UniagentStatus UniagentState `json:"uniagent_status"`
	Extensions     []Extension   `json:"extensions"`
}

// Extension is the agent on a server. There is one: telescope.
type Extension struct {
	Name   string               `json:"name"`
	Status installer.AgentState `json:"status"`
	// Version is left out where none is known, or nothing is installed.
	Version string `json:"version,omitempty"`
}

// StatusQuery is the body of agent-status/batch-query, as the client sends it.
type StatusQuery struct {
	InstanceIDs     []string             `json:"instance_ids"` // 1–2000
	UniagentStatus  UniagentState        `json:"uniagent_status,omitempty"`
	ExtensionName   string               `json:"extension_name,omitempty"`
	ExtensionStatus installer.AgentState `json:"extension_status,omitempty"`
}

// statusRequest is an agent-status body that has been found good. An empty
// filter lets everything through.
type statusRequest struct {
	instanceIDs []string
	uniagent    UniagentState
	extension   installer.AgentState
}

func decodeStatus(body []byte) (*statusRequest, error) {
	var faults installer.Faults
	f, ok := topFields(body, map[string]int{fieldInstanceIDs: maxStatusIDs}, &faults)
	if !ok {
		return nil, faults
	}
	req := &statusRequest{}
	f.Need(fieldInstanceIDs)
	req.instanceIDs = ids(f, fieldInstanceIDs, maxStatusIDs, installer.IDForm, &faults)
	req.uniagent = UniagentState(enum(f, "uniagent_status", uniagentStates...))
	enum(f, "extension_name", targets...)
	req.extension = installer.AgentState(enum(f, "extension_status", agentStates...))
	f.End(false)
	if len(faults) > 0 {
		return nil, faults
	}
	return req, nil
}

// agentStatus answers from what was last found on the hosts; it asks none. An
// id that comes twice is one server.
func (s service) agentStatus(c *call) (any, error) {
	req, err := decodeStatus(c.body)
	if err != nil {
		return nil, err
	}
	known, err := s.knownHosts(c.Context(), c.project, req.instanceIDs)
	if err != nil {
		return nil, err
	}
	answer := AgentStatuses{AgentStatus: []AgentStatus{}}
	seen := make(map[string]bool, len(req.instanceIDs))
	for _, id := range req.instanceIDs {
		if seen[id] {
			continue
		}
		seen[id] = true
		if row := s.statusOf(id, known[id]); req.wants(row) {
			answer.AgentStatus = append(answer.AgentStatus, row)
		}
	}
	return answer, nil
}

func (s service) knownHosts(ctx context.Context, project string, ids []string) (map[string]installer.KnownHost, error) {
	if s.Hosts == nil || len(ids) == 0 {
		return nil, nil
	}
	page, err := s.Hosts.Hosts(ctx, project, installer.HostFilter{IDs: ids})
	known := make(map[string]installer.KnownHost, len(page.Hosts))
	for _, h := range page.Hosts {
		known[h.ID] = h
	}
	return known, err
}

// statusOf says what may still be said of a host. Of one that is not known (the
// zero value), was never looked at, or not for too long, there is no news: none
// would claim that nothing is installed on it.
func (s service) statusOf(id string, h installer.KnownHost) AgentStatus {
	state, version := h.Agent, h.Version
	age := s.Clock().Sub(h.Verified)
	if h.Verified.IsZero() || age > s.StatusMaxAge || !slices.Contains(agentStates, state) {
		state = installer.AgentUnknown
	}
	if state == installer.AgentNone || state == installer.AgentUnknown {
		version = ""
	}
	return AgentStatus{
		InstanceID:     id,
		UniagentStatus: uniagentOf(state),
		Extensions:     []Extension{{Name: installer.TargetTelescope, Status: state, Version: showVersion(version)}},
	}
}

// uniagentOf is what the agent's state says of the service that carries it. One
// that should run and does not sends no news.
func uniagentOf(state installer.AgentState) UniagentState {
	switch state {
	case installer.AgentNone:
		return UniagentNone
	case installer.AgentRunning:
		return UniagentRunning
	case installer.AgentStopped:
		return UniagentSilent
	}
	return UniagentUnknown
}

func (r *statusRequest) wants(row AgentStatus) bool {
	return (r.uniagent == "" || r.uniagent == row.UniagentStatus) &&
		(r.extension == "" || r.extension == row.Extensions[0].Status)
}
