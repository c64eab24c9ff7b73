package main

import (
	"time"

	"tripod/installer"
)

// jsonHost is a host as --output json has it. Every field is always there: who
// filters with jq is not to tell a missing one from an empty one.
type jsonHost struct {
	ID   string                 `json:"instance_id"`
	Name string                 `json:"instance_name"`
	Type installer.InstanceType `json:"instance_type"`
	jsonEndpoint
	Via         []jsonEndpoint    `json:"via"`
	RouteChoice *jsonRouteChoice  `json:"through"`
	Sudo        installer.Sudo    `json:"sudo"`
	IntranetIPs []string          `json:"intranet_ips"`
	ElasticIPs  []string          `json:"elastic_ips"`
	Labels      map[string]string `json:"labels"`
}

type jsonEndpoint struct {
	Address string `json:"address"`
	Port    uint16 `json:"port"`
	User    string `json:"user"`
	HostKey string `json:"host_key"`
}

// jsonRouteChoice are the installers of which one is chosen; none named: the project's.
type jsonRouteChoice struct {
	Named []jsonNamed `json:"named"`
}

type jsonNamed struct {
	ID    string `json:"instance_id"`
	SetUp bool   `json:"set_up"`
}

// jsonKnownHost is a known host.
type jsonKnownHost struct {
	jsonHost
	Agent     installer.AgentState `json:"agent"`
	Version   string               `json:"version"`
	Edition   installer.Edition    `json:"edition"`
	Verified  *time.Time           `json:"verified"` // null: never
	Login     bool                 `json:"login"`
	Installer bool                 `json:"installer"`
}

func hostJSON(h installer.Host) jsonHost {
	j := jsonHost{
		ID: h.ID, Name: h.Name, Type: h.Type, jsonEndpoint: jsonEndpoint(h.Endpoint), Via: []jsonEndpoint{}, Sudo: h.Sudo,
		IntranetIPs: append([]string{}, h.IntranetIPs...), ElasticIPs: append([]string{}, h.ElasticIPs...), Labels: h.Labels,
	}
	for _, hop := range h.Via {
		j.Via = append(j.Via, jsonEndpoint(hop))
	}
	if h.RouteChoice != nil {
		j.RouteChoice = &jsonRouteChoice{Named: []jsonNamed{}}
		for _, n := range h.RouteChoice.Named {
			j.RouteChoice.Named = append(j.RouteChoice.Named, jsonNamed(n))
		}
	}
	if j.Labels == nil {
		j.Labels = map[string]string{}
	}
	return j
}

func knownHostJSON(h installer.KnownHost) jsonKnownHost {
	j := jsonKnownHost{
		jsonHost: hostJSON(h.Host),
		Agent:    h.Agent, Version: h.Version, Edition: h.Edition, Login: h.Login, Installer: h.Installer,
	}
	if !h.Verified.IsZero() {
		j.Verified = &h.Verified
	}
	return j
}
