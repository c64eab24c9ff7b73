package api

import "strconv"

// wireRequest and wireHost are the request as the client sends it. They are
// apart from CreateRequest so that only Client.Create ever encodes a password.
type wireRequest struct {
	InvocationType   string     `json:"invocation_type"`
	InvocationTarget string     `json:"invocation_target,omitempty"`
	InstanceIDs      []string   `json:"instance_ids,omitempty"`
	InvocationIDs    []string   `json:"invocation_ids,omitempty"`
	VersionType      string     `json:"version_type,omitempty"`
	Version          string     `json:"version,omitempty"`
	Origin           string     `json:"origin,omitempty"`
	Hosts            []wireHost `json:"remote_install_meta,omitempty"`
}

type wireHost struct {
	InstanceName string `json:"instance_name,omitempty"`
	RemoteIP     string `json:"remote_ip,omitempty"`
	UserName     string `json:"user_name,omitempty"`
	Port         string `json:"port,omitempty"`
	Password     string `json:"password,omitempty"`
	UsePEM       bool   `json:"remote_use_pem"`
}

func (r CreateRequest) wire() wireRequest {
	w := wireRequest{
		InvocationType:   r.InvocationType,
		InvocationTarget: r.InvocationTarget,
		InstanceIDs:      r.InstanceIDs,
		InvocationIDs:    r.InvocationIDs,
		VersionType:      r.VersionType,
		Version:          r.Version,
		Origin:           r.Origin,
	}
	for _, h := range r.Hosts {
		one := wireHost{InstanceName: h.Host.Name, RemoteIP: h.Host.Address, UserName: h.Host.User, Password: h.Credentials.Password.Reveal(), UsePEM: h.DefaultKey}
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
