package control

import (
	"tripod/installer"
	"tripod/installer/api"
	"tripod/installer/hostsfile"
)

// canceled is the answer of POST cancel.
type canceled struct {
	Asked []string `json:"asked"` // those that were open
}

type wireCancel struct {
	InvocationID string `json:"invocation_id"` // only this one; empty: all
}

func (s service) cancel(r *api.Request) (any, error) {
	id, err := pathID(r, "batch_id")
	if err != nil {
		return nil, err
	}
	var w wireCancel
	if err := decode(r.Body, &w); err != nil {
		return nil, err
	}
	if _, err := s.Store.Batch(r.Context(), r.Principal.Project, id); err != nil {
		return nil, err
	}
	asked, err := CancelOpen(r.Context(), s.Store, r.Principal.Project, id, w.InvocationID)
	for _, inv := range asked {
		s.Cancel(inv)
	}
	s.Wake()
	s.Hub.Nudge()
	return canceled{asked}, err
}

// forgotten is the answer of DELETE host-keys.
type forgotten struct {
	Keys int `json:"keys"`
}

func (s service) forgetKeys(r *api.Request) (any, error) {
	host, err := hostsfile.ParseEndpoint(r.PathValue("host_port"), "", installer.DefaultPort)
	if err != nil {
		return nil, installer.Faults{{Where: "host", What: err.Error()}}
	}
	n, err := s.Store.ForgetKeys(r.Context(), r.Principal.Project, host.HostPort())
	return forgotten{n}, err
}

// blobState is the answer about a file: how much of it is here.
type blobState struct {
	Have     int64 `json:"have"`
	Complete bool  `json:"complete"`
}

func (s service) blob(r *api.Request) (any, error) {
	have, complete, err := s.Store.BlobSize(r.Context(), r.Principal.Project, r.PathValue("sha256"))
	return blobState{have, complete}, err
}

// addToBlob takes a part of a file: PUT blobs/SHA256?size=N&offset=M. What does
// not continue what is here is left out; the answer says where to go on.
func (s service) addToBlob(r *api.Request) (any, error) {
	const most = 1 << 40 // the store has its own limit
	size, err := numberOf(r, "size", -1, 0, most)
	if err != nil {
		return nil, err
	}
	offset, err := numberOf(r, "offset", 0, 0, most)
	if err != nil {
		return nil, err
	}
	have, complete, err := s.Store.AddToBlob(r.Context(), r.Principal.Project, installer.BlobRef{SHA256: r.PathValue("sha256"), Size: size}, offset, r.Body)
	return blobState{have, complete}, err
}
