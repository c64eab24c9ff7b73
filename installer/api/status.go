package api

import (
	"cmp"
	"context"
	"slices"
	"time"

	"tripod/installer"
)

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

// statusRequest is an agent-status body that has been found good. An empty
// filter lets everything through.
type statusRequest struct {
	instanceIDs []string
	uniagent    UniagentState
	extension   installer.AgentState
}

func decodeStatus(raw []byte) (*statusRequest, error) {
	var b body
	if !b.read(raw, map[string]int{fieldInstanceIDs: maxStatusIDs}) {
		return nil, b.faults
	}
	b.Need(fieldInstanceIDs)
	req := &statusRequest{instanceIDs: b.ids(fieldInstanceIDs, maxStatusIDs), uniagent: enum(&b, "uniagent_status", uniagentStates)}
	enum(&b, "extension_name", targets)
	req.extension = enum(&b, "extension_status", agentStates)
	b.End(false)
	return req, b.faults.Err()
}

// agentStatus answers from what was last found on the hosts; it asks none. An
// id that comes twice is one server.
func (h *handler) agentStatus(c *Request) (any, error) {
	req, err := decodeStatus(c.Body)
	if err != nil {
		return nil, err
	}
	known, err := h.KnownByID(c.Context(), c.Principal.Project, req.instanceIDs)
	if err != nil {
		return nil, err
	}
	answer := AgentStatuses{AgentStatus: []AgentStatus{}}
	answered := make(map[string]bool, len(req.instanceIDs))
	for _, id := range req.instanceIDs {
		if row := h.statusOf(id, known[id]); !answered[id] && req.wants(row) {
			answer.AgentStatus = append(answer.AgentStatus, row)
		}
		answered[id] = true
	}
	return answer, nil
}

// statusOf says what may still be said of a host. Where there is no news, none would
// claim that nothing is installed on it.
func (h *handler) statusOf(id string, host installer.KnownHost) AgentStatus {
	state, version := host.Agent, host.Version
	age := h.Clock().Sub(host.Verified)
	if host.Verified.IsZero() || age > h.StatusMaxAge || !slices.Contains(agentStates, state) {
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
	return cmp.Or(map[installer.AgentState]UniagentState{
		installer.AgentNone: UniagentNone, installer.AgentRunning: UniagentRunning, installer.AgentStopped: UniagentSilent,
	}[state], UniagentUnknown)
}

func (r *statusRequest) wants(row AgentStatus) bool {
	return (r.uniagent == "" || r.uniagent == row.UniagentStatus) &&
		(r.extension == "" || r.extension == row.Extensions[0].Status)
}

// Health is the answer of GET /healthz.
type Health struct {
	Status string `json:"status"` // "ok"; anything else comes as an error
}

// healthWait is short: who asks wants to know now.
const healthWait = 2 * time.Second

// health needs no login and tells nothing but whether the state can be read.
func (h *handler) health(c *Request) (any, error) {
	ctx, cancel := context.WithTimeout(c.Context(), healthWait)
	defer cancel()
	if _, err := h.Store.Batches(ctx, installer.DefaultProject, 1); err != nil {
		return nil, err
	}
	return Health{Status: "ok"}, nil
}
