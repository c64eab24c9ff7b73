package report

import (
	"encoding/json"
	"strings"

	"tripod/installer"
)

type fields map[string]any

// HostJSON is a host, known or not, as --output json has it. Every field is always there:
// who filters with jq is not to tell a missing one from an empty one.
func HostJSON(host any) (map[string]any, error) {
	raw, err := json.Marshal(host)
	if err != nil {
		return nil, err
	}
	doc := fields{
		"host_key": "", "via": []any{}, "through": nil, "sudo": "",
		"intranet_ips": []any{}, "elastic_ips": []any{}, "labels": fields{}, "vars": fields{}, "agent_config": nil,
	}
	if _, known := host.(installer.KnownHost); known {
		doc["version"], doc["edition"], doc["verified"], doc["reporting"] = "", "", nil, nil
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		return nil, err
	}
	for _, hop := range doc["via"].([]any) {
		addMissing(hop, "host_key", "")
	}
	if reporting, found := doc["reporting"].(map[string]any); found {
		addMissing(reporting, "why", "")
	}
	if config, given := doc["agent_config"].(map[string]any); given {
		for _, field := range []string{"region", "endpoint", "project_id", "instance_id"} {
			addMissing(config, field, "")
		}
		addMissing(config, "bms", nil)
	}
	if through, chosen := doc["through"].(map[string]any); chosen {
		addMissing(through, "named", []any{})
		for _, jumpHost := range through["named"].([]any) {
			addMissing(jumpHost, "set_up", false)
		}
	}
	return doc, nil
}

func addMissing(object any, name string, value any) {
	if o := object.(map[string]any); o[name] == nil {
		o[name] = value
	}
}

// Route is how a known host is reached, for people; empty: directly.
func Route(h installer.Host) string {
	if h.RouteChoice != nil {
		if len(h.RouteChoice.Named) == 0 {
			return "the project's jump hosts"
		}
		ids := make([]string, len(h.RouteChoice.Named))
		for i, n := range h.RouteChoice.Named {
			ids[i] = n.ID
		}
		return "jump host " + strings.Join(ids, " or ")
	}
	via := make([]string, len(h.Via))
	for i, hop := range h.Via {
		via[i] = hop.User + "@" + hop.HostPort()
	}
	return strings.Join(via, " → ")
}
