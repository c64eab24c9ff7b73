package control

import (
	"net/http"

	"tripod/installer"
	"tripod/installer/api"
	"tripod/installer/hostsfile"
)

// submit answers with the batch's head when it is on disk. Sent again, it is
// answered again and not done again.
func (s service) submit(r *api.Request) (any, error) {
	var w wireBatch
	if err := decode(r.Body, &w); err != nil {
		return nil, err
	}
	project := r.Principal.Project
	content, err := w.content()
	if err != nil {
		return nil, err
	}
	if installer.IDForm.MatchString(w.BatchID) {
		// Sent again while it is being stored, it waits for that.
		leave, err := s.submitting.take(r.Context(), project+"/"+w.BatchID)
		if err != nil {
			return nil, err
		}
		defer leave()
		if head, err := s.Store.Batch(r.Context(), project, w.BatchID); err == nil {
			if head.Total != len(w.Items) || head.Content != content {
				return nil, api.Refuse(http.StatusConflict, CodeExists, "batch %s was sent before, and asked for something else: other work needs another id", w.BatchID)
			}
			return head, nil
		}
	}
	sub, err := s.submission(r.Context(), r.Principal, w)
	if err != nil {
		return nil, err
	}
	sub.Content = content
	if err := sub.Resolve(r.Context(), s.Store); err != nil {
		return nil, missingCredentials(err)
	}
	if err := s.Store.Submit(r.Context(), sub.Batch); err != nil {
		return nil, refusal(err)
	}
	s.Wake()
	return s.Store.Batch(r.Context(), project, sub.ID)
}

func missingCredentials(err error) error {
	m, ok := err.(*MissingCredentials)
	if !ok {
		return err
	}
	e := api.Refuse(http.StatusConflict, CodeCredentialMissing, "%s", m.Error())
	e.Faults = m.Faults
	return e
}

func (s service) refresh(r *api.Request) (any, error) {
	id, err := pathID(r, "batch_id")
	if err != nil {
		return nil, err
	}
	if _, err := s.Store.Batch(r.Context(), r.Principal.Project, id); err != nil {
		return nil, err
	}
	var w wireRefresh
	if err := decode(r.Body, &w); err != nil {
		return nil, err
	}
	u := newUnpacker(w.Logins)
	byInvocation := make(map[string]installer.Credentials, len(w.ByInvocation))
	for inv, c := range w.ByInvocation {
		byInvocation[inv] = u.credentials("credentials", c)
	}
	if err := u.faults.Err(); err != nil {
		return nil, err
	}
	return struct{}{}, refusal(s.Store.RefreshCredentials(r.Context(), id, byInvocation))
}

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
