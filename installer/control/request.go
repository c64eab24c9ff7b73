package control

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"tripod/installer"
	"tripod/installer/api"
	"tripod/installer/plan"
)

// wireRequest is a plan.Request as JSON. Only the client encodes it.
type wireRequest struct {
	BatchID     string            `json:"batch_id"`
	Source      string            `json:"source,omitempty"`
	Task        installer.Type    `json:"task"`
	Spec        *installer.Spec   `json:"spec,omitempty"`
	Known       []string          `json:"known,omitempty"`
	Of          []string          `json:"of,omitempty"`
	Resume      bool              `json:"resume,omitempty"`
	MaxFailures plan.FailureLimit `json:"max_failures,omitzero"`
	ForAll      *wireHost         `json:"for_all,omitempty"`
	wireHosts
}

// wire packs a request.
func wire(r plan.Request) wireRequest {
	var p packer
	w := wireRequest{
		BatchID: r.BatchID, Source: cut(r.Source), Task: r.Task, Known: r.Known, Of: r.Of, Resume: r.Resume, MaxFailures: r.MaxFailures,
		wireHosts: wireHosts{Hosts: p.hosts(r.Hosts)},
	}
	if r.Spec.Target != "" {
		w.Spec = &r.Spec
	}
	if r.ForAll != nil {
		w.ForAll = &p.hosts([]installer.HostEntry{*r.ForAll})[0]
	}
	w.Logins = p.logins
	return w
}

// content is a hash of the request without its logins: nobody is to try passwords
// on what is stored of it.
func (w wireRequest) content() (string, error) {
	h := sha256.New()
	enc := json.NewEncoder(h) // a host a time: there is no second copy of a large request
	head := w
	head.wireHosts = wireHosts{}
	err := enc.Encode(head)
	for i := 0; err == nil && i < len(w.Hosts); i++ {
		err = enc.Encode(&w.Hosts[i])
	}
	return hex.EncodeToString(h.Sum(nil)), err
}

// request makes a plan.Request of what the client sent, or tells all that is wrong
// with it. What the client does not decide is filled in. files: they must be here.
func (s service) request(ctx context.Context, who installer.Principal, w wireRequest, files bool) (plan.Request, error) {
	req := plan.Request{
		Project: who.Project, By: who.String(), BatchID: w.BatchID, Source: w.Source, Task: w.Task, Known: w.Known, Of: w.Of,
		Resume: w.Resume, MaxFailures: w.MaxFailures,
	}
	u := newUnpacker(w.Logins)
	if !installer.IDForm.MatchString(w.BatchID) {
		u.faults.Add("batch_id", installer.IDRule)
	}
	if what := installer.TextFault(w.Source); what != "" {
		u.faults.Add("source", "%s", what)
	}
	if w.MaxFailures.N < 0 || w.MaxFailures.Percent && w.MaxFailures.N > 100 {
		u.faults.Add("max_failures", "must not be negative, nor more than 100 percent")
	}
	u.ids("known", w.Known)
	u.ids("of", w.Of)
	req.Hosts = u.hosts(w.Hosts)
	switch w.Task {
	case installer.Install, installer.Update:
		req.Whole = true
		u.about("hosts", "known", len(w.Hosts)+len(w.Known), len(w.Of))
	case installer.SetRemoteInstaller:
		req.Whole = true
		if w.Spec != nil && (w.Spec.CheckOnly || w.Spec.Script != nil) {
			u.faults.Add("spec", "is not what %s does", w.Task)
		}
		u.about("known", "known", len(w.Known), len(w.Hosts)+len(w.Of))
	case installer.Retry, installer.Rollback:
		req.Latest = true
		u.about("of", "of", len(w.Of), len(w.Known))
		if w.ForAll != nil {
			all := u.entry("for_all", *w.ForAll, forAllFields)
			req.ForAll = &all
		}
	default:
		u.faults.Add("task", "must be INSTALL, UPDATE, ROLLBACK, RETRY or SET_REMOTE_INSTALLER")
	}
	if req.Whole {
		if w.Spec == nil {
			u.faults.Add("spec", "is missing")
		} else {
			var sent []installer.BlobRef
			if files {
				sent = w.Spec.Files()
			}
			if err := s.spec(ctx, who.Project, "spec", *w.Spec, sent, &u.faults); err != nil {
				return req, err
			}
			req.Spec = *w.Spec
			req.Spec.Task, req.Spec.Restore = "", "" // of a RETRY or ROLLBACK
		}
	}
	return req, u.faults.Err()
}

// about checks how many things a request is about, and that there are no others.
func (u *unpacker) about(field, or string, n, others int) {
	switch {
	case n < 1 || n > maxItems:
		u.faults.Add(field, "must be 1 to %d", maxItems)
	case others > 0:
		u.faults.Add(field, "this task is about nothing but %s", or)
	}
}

func (u *unpacker) ids(field string, ids []string) {
	for i, id := range ids {
		if !installer.IDForm.MatchString(id) {
			u.faults.Add(fmt.Sprintf("%s[%d]", field, i), installer.IDRule)
		}
	}
}

// spec checks what is to be done: its form, that the project has sent the files of
// it, and that host keys are looked at with no less care than the daemon's own policy wants.
// An error is the store's.
func (s service) spec(ctx context.Context, project, where string, spec installer.Spec, files []installer.BlobRef, faults *installer.Faults) error {
	if wrong := spec.Validate(installer.Within(where)); len(wrong) > 0 {
		*faults = append(*faults, wrong...)
		return nil
	}
	if spec.HostKeys.WeakerThan(s.HostKeys) {
		faults.Add(where+".host_keys", "%s is weaker than the daemon's own %s, and refused (--host-keys)", spec.HostKeys, s.HostKeys)
	}
	for _, ref := range files {
		have, complete, err := s.Store.BlobSize(ctx, project, ref.SHA256)
		if err != nil {
			return err
		}
		if !complete || have != ref.Size {
			faults.Add(where, "the file %s is not here: send it first", ref.SHA256)
		}
	}
	return nil
}

// Planned is what came of a request.
type Planned struct {
	// Batch is the new one, or the one that is gone on with. Nil: none was needed.
	Batch   *installer.BatchHead `json:"batch,omitempty"`
	Resumed bool                 `json:"resumed,omitempty"`
	// Limit of failures, of all that there is to do.
	Limit int           `json:"limit,omitempty"`
	Items []PlannedItem `json:"items,omitempty"`
	Notes []string      `json:"notes,omitempty"`
}

// PlannedItem is a plan.Item for people.
type PlannedItem struct {
	Standing   plan.Standing        `json:"standing"`
	Where      string               `json:"where"`
	Invocation installer.Invocation `json:"invocation"`
	Edition    installer.Edition    `json:"edition,omitempty"`
	Login      string               `json:"login,omitempty"`
	Alone      bool                 `json:"alone,omitempty"`
	Failed     bool                 `json:"failed,omitempty"`
	Refused    string               `json:"refused,omitempty"`
}

// planned tells a plan; of new invocations only if that is asked for.
func planned(p *plan.Plan, all bool) Planned {
	told := Planned{Resumed: p.Resumed != nil, Limit: p.Limit(), Notes: p.Notes}
	for _, item := range p.Items {
		if item.Standing == plan.New && !all {
			continue
		}
		one := PlannedItem{
			Standing: item.Standing, Where: item.Place(), Invocation: item.Invocation, Edition: item.Edition,
			Login: item.LoginWords(), Alone: item.Alone, Failed: item.Failed,
		}
		if item.Refused != nil {
			one.Refused = item.Refused.Msg
		}
		told.Items = append(told.Items, one)
	}
	return told
}

// plan answers with what would be done.
func (s service) plan(r *api.Request) (any, error) {
	var w wireRequest
	if err := decode(r.Body, &w); err != nil {
		return nil, err
	}
	req, err := s.request(r.Context(), r.Principal, w, false)
	if err != nil {
		return nil, err
	}
	p, err := PlanWith(r.Context(), s.planner, req)
	return p, missingCredentials(err)
}

// PlanWith tells what would come of a request.
func PlanWith(ctx context.Context, by *plan.Planner, req plan.Request) (Planned, error) {
	p, err := by.Plan(ctx, req)
	if err == nil {
		err = p.Err()
	}
	if err != nil {
		return Planned{}, err
	}
	return planned(p, true), nil
}

// submit answers when all is on disk. Sent again, it is answered again and not done
// again.
func (s service) submit(r *api.Request) (any, error) {
	var w wireRequest
	if err := decode(r.Body, &w); err != nil {
		return nil, err
	}
	project := r.Principal.Project
	req, err := s.request(r.Context(), r.Principal, w, true)
	if err != nil {
		return nil, err
	}
	if req.Content, err = w.content(); err != nil {
		return nil, err
	}
	// Sent again while it is being stored, it waits for that.
	leave, err := s.submitting.take(r.Context(), project+"/"+w.BatchID)
	if err != nil {
		return nil, err
	}
	defer leave()
	var p *plan.Plan
	if head, err := s.Store.Batch(r.Context(), project, w.BatchID); err == nil {
		if head.Content != req.Content {
			return nil, api.Refuse(http.StatusConflict, CodeExists, "batch %s was sent before, and asked for something else: other work needs another id", w.BatchID)
		}
		if p = (&plan.Plan{Request: req}); req.Latest {
			p, err = s.planner.Plan(r.Context(), req)
		}
		if err != nil {
			return nil, err
		}
		p.Items = slices.DeleteFunc(p.Items, func(i plan.Item) bool { return i.Standing == plan.New || i.Invocation.BatchID == head.ID })
	} else if p, err = s.planner.Submit(r.Context(), req); err != nil {
		return nil, missingCredentials(refusal(err))
	}
	s.Wake()
	answer := planned(p, false)
	if head, err := s.Store.Batch(r.Context(), project, p.BatchID); err == nil {
		answer.Batch = &head
	} else if !errors.Is(err, installer.ErrNotFound) { // no batch was needed
		return nil, err
	}
	return answer, nil
}

func missingCredentials(err error) error {
	m, ok := errors.AsType[*plan.MissingCredentials](err)
	if !ok {
		return err
	}
	e := api.Refuse(http.StatusConflict, CodeCredentialMissing, "%s", m.Error())
	e.Faults = m.Faults
	return e
}

// Submit has a request planned and stored; on the daemon's disk when it returns.
// Faults where the daemon refuses it, MissingCredentials where it has no logins.
func (c *Client) Submit(ctx context.Context, r plan.Request) (Planned, error) {
	p, err := c.planned(ctx, r, "batches")
	if err == nil && p.Batch != nil && !p.Resumed {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.fresh[r.BatchID] = true
	}
	return p, err
}

// Plan tells what would come of a request.
func (c *Client) Plan(ctx context.Context, r plan.Request) (Planned, error) {
	return c.planned(ctx, r, "plans")
}

func (c *Client) planned(ctx context.Context, r plan.Request, path string) (p Planned, err error) {
	if err := c.own(r.Project); err != nil {
		return p, err
	}
	err = c.post(ctx, c.path(path), wire(r), &p, "", "")
	return p, err
}
