// Package apitest is a client of the agent-task API with its own types, for tests and
// measurements. Programs of users have Cloud Eye's SDKs.
package apitest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"tripod/installer"
	"tripod/installer/api"
)

// Client speaks the API. It is safe for many goroutines.
type Client struct{ api.Client }

// CreateRequest is the body of batch-create. Fields left empty are not sent.
type CreateRequest struct {
	InvocationType   string
	InvocationTarget string
	InstanceIDs      []string
	InvocationIDs    []string
	VersionType      string
	Version          string
	Origin           string
	// Hosts are remote_install_meta. Of a host its name, address, port and user are
	// sent, and its password or private key.
	Hosts []installer.HostEntry
	// IdempotencyKey, 1–255 printable ASCII characters, lets the request be sent
	// again without being done again. Empty: none.
	IdempotencyKey string
}

// StatusQuery is the body of agent-status/batch-query, as the client sends it.
type StatusQuery struct {
	InstanceIDs     []string             `json:"instance_ids"` // 1–2000
	UniagentStatus  api.UniagentState    `json:"uniagent_status,omitempty"`
	ExtensionName   string               `json:"extension_name,omitempty"`
	ExtensionStatus installer.AgentState `json:"extension_status,omitempty"`
}

// Create submits a batch. The error is an *api.Error where the daemon answered.
func (c *Client) Create(ctx context.Context, req CreateRequest) (api.Created, error) {
	body, err := json.Marshal(req.Wire())
	if err != nil {
		return api.Created{}, fmt.Errorf("encode the request: %w", err)
	}
	var answer api.Created
	err = c.Do(ctx, api.Ask{
		Method: http.MethodPost, Path: c.path("/agent-invocations/batch-create"), Body: body, IdempotencyKey: req.IdempotencyKey,
	}, &answer)
	return answer, err
}

// Status asks for the agents' state on 1–2000 instances. Empty filters are not
// sent.
func (c *Client) Status(ctx context.Context, q StatusQuery) (api.AgentStatuses, error) {
	body, err := json.Marshal(q)
	if err != nil {
		return api.AgentStatuses{}, fmt.Errorf("encode the request: %w", err)
	}
	var answer api.AgentStatuses
	err = c.do(ctx, http.MethodPost, c.path("/agent-status/batch-query"), body, &answer)
	return answer, err
}

// List returns one page. f.ProjectID and f.BatchID are not sent; a Limit of 0
// is the API's default.
func (c *Client) List(ctx context.Context, f installer.Filter) (api.List, error) {
	q := url.Values{}
	for name, v := range map[string]string{
		"instance_id":       f.InstanceID,
		"instance_type":     string(f.InstanceType),
		"invocation_id":     f.InvocationID,
		"invocation_type":   string(f.Type),
		"invocation_target": f.Target,
		"status":            string(f.State),
	} {
		if v != "" {
			q.Set(name, v)
		}
	}
	if f.Offset != 0 {
		q.Set("offset", strconv.FormatInt(f.Offset, 10))
	}
	if f.Limit != 0 {
		q.Set("limit", strconv.Itoa(f.Limit))
	}
	path := c.path("/agent-invocations")
	if len(q) > 0 {
		path += "?" + q.Encode()
	}
	var answer api.List
	err := c.do(ctx, http.MethodGet, path, nil, &answer)
	return answer, err
}

// Health asks /healthz; nil means that the daemon is well.
func (c *Client) Health(ctx context.Context) error {
	var answer api.Health
	return c.do(ctx, http.MethodGet, "/healthz", nil, &answer)
}

func (c *Client) path(rest string) string { return "/v3/" + url.PathEscape(c.Project) + rest }

func (c *Client) do(ctx context.Context, method, path string, body []byte, answer any) error {
	return c.Do(ctx, api.Ask{Method: method, Path: path, Body: body}, answer)
}

// WireRequest and WireHost are the request as the client sends it. They are
// apart from CreateRequest so that only Client.Create ever encodes a password.
type WireRequest struct {
	InvocationType   string     `json:"invocation_type"`
	InvocationTarget string     `json:"invocation_target,omitempty"`
	InstanceIDs      []string   `json:"instance_ids,omitempty"`
	InvocationIDs    []string   `json:"invocation_ids,omitempty"`
	VersionType      string     `json:"version_type,omitempty"`
	Version          string     `json:"version,omitempty"`
	Origin           string     `json:"origin,omitempty"`
	Hosts            []WireHost `json:"remote_install_meta,omitempty"`
}

type WireHost struct {
	InstanceName string `json:"instance_name,omitempty"`
	RemoteIP     string `json:"remote_ip,omitempty"`
	UserName     string `json:"user_name,omitempty"`
	Port         string `json:"port,omitempty"`
	Password     string `json:"password,omitempty"`
	UsePEM       bool   `json:"remote_use_pem"`
	Agent        *Agent `json:"agent,omitempty"`
}

// Agent is Tripod's extension of a host.
type Agent struct {
	Region     string `json:"region,omitempty"`
	Endpoint   string `json:"endpoint,omitempty"`
	ProjectID  string `json:"project_id,omitempty"`
	InstanceID string `json:"instance_id,omitempty"`
	BMS        *bool  `json:"bms,omitempty"`
	AccessKey  string `json:"access_key,omitempty"`
	SecretKey  string `json:"secret_key,omitempty"`
}

// Wire is the request as it is sent.
func (r CreateRequest) Wire() WireRequest {
	w := WireRequest{
		InvocationType:   r.InvocationType,
		InvocationTarget: r.InvocationTarget,
		InstanceIDs:      r.InstanceIDs,
		InvocationIDs:    r.InvocationIDs,
		VersionType:      r.VersionType,
		Version:          r.Version,
		Origin:           r.Origin,
	}
	for _, h := range r.Hosts {
		one := WireHost{InstanceName: h.Host.Name, RemoteIP: h.Host.Address, UserName: h.Host.User, Password: h.Credentials.Password.Reveal(), UsePEM: h.DefaultKey}
		if h.Host.Port != 0 {
			one.Port = strconv.Itoa(int(h.Host.Port))
		}
		if key := h.Credentials.PrivateKey; !key.IsZero() {
			one.Password, one.UsePEM = key.Reveal(), true
		}
		w.Hosts = append(w.Hosts, one)
	}
	return w
}
