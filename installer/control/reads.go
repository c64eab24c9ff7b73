package control

import (
	"math"

	"tripod/installer"
	"tripod/installer/api"
)

// heads is the answer of GET batches.
type heads struct {
	Batches []installer.BatchHead `json:"batches"`
}

func (s service) batches(r *api.Request) (any, error) {
	n, err := numberOf(r, "limit", 20, 1, 1000)
	if err != nil {
		return nil, err
	}
	list, err := s.Store.Batches(r.Context(), r.Principal.Project, int(n))
	return heads{list}, err
}

func (s service) batch(r *api.Request) (any, error) {
	id, err := pathID(r, "batch_id")
	if err != nil {
		return nil, err
	}
	return s.Store.Batch(r.Context(), r.Principal.Project, id)
}

// page is the answer of GET invocations: whole invocations, newest first.
type page struct {
	Invocations []installer.Invocation `json:"invocations"`
	Count       int64                  `json:"count"` // all that match
}

func (s service) invocations(r *api.Request) (any, error) {
	q := r.URL.Query()
	f := installer.Filter{
		ProjectID: r.Principal.Project, BatchID: q.Get("batch_id"),
		InvocationID: q.Get("invocation_id"), InstanceID: q.Get("instance_id"),
	}
	for _, id := range []string{f.BatchID, f.InvocationID, f.InstanceID} {
		if id != "" && !installer.IDForm.MatchString(id) {
			return page{Invocations: []installer.Invocation{}}, nil
		}
	}
	var err error
	if f.Offset, err = numberOf(r, "offset", 0, 0, math.MaxInt32); err != nil {
		return nil, err
	}
	limit, err := numberOf(r, "limit", pageSize, 1, pageSize)
	if err != nil {
		return nil, err
	}
	f.Limit = int(limit)
	list, err := s.Store.Invocations(r.Context(), f)
	return page{list.Invocations, list.Count}, err
}

func (s service) invocation(r *api.Request) (any, error) {
	id, err := pathID(r, "invocation_id")
	if err != nil {
		return nil, err
	}
	return s.Store.Invocation(r.Context(), r.Principal.Project, id)
}

func (s service) log(r *api.Request) (any, error) {
	id, err := pathID(r, "invocation_id")
	if err != nil {
		return nil, err
	}
	log, err := s.Store.Log(r.Context(), r.Principal.Project, id)
	return api.Stream{ReadCloser: log}, err
}
