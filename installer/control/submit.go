package control

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/go-json-experiment/json"

	"tripod/installer"
	"tripod/installer/api"
	"tripod/installer/plan"
	"tripod/installer/privkey"
)

// contentOf is a hash of the request without its secrets, which are redacted: nobody is
// to try passwords on what is stored of it.
func contentOf(req plan.Request) (string, error) {
	h := sha256.New()
	err := json.MarshalWrite(h, req, dialect, json.Deterministic(true))
	return hex.EncodeToString(h.Sum(nil)), err
}

// checked is the request if it is good, with what the client does not decide, or all that
// is wrong with it. files: they must be here.
func (s *service) checked(ctx context.Context, who principal, req plan.Request, files bool) (plan.Request, error) {
	var faults installer.Faults
	if !installer.IDForm.MatchString(req.BatchID) {
		faults.Add("batch_id", installer.IDRule)
	}
	req.Source = api.Clip(req.Source, installer.MaxText)
	if what := installer.TextFault(req.Source); what != "" {
		faults.Add("source", "%s", what)
	}
	if req.MaxFailures.N < 0 || req.MaxFailures.Percent && req.MaxFailures.N > 100 {
		faults.Add("max_failures", "must not be negative, nor more than 100 percent")
	}
	checkIDs("known", req.Known, &faults)
	checkIDs("of", req.Of, &faults)
	checkHosts(req.Hosts, &faults)
	faults = append(faults, req.AgentKeys.Validate(installer.Within("agent_keys"))...)
	faults = append(faults, req.Vars.Validate(func(field string) string { return field })...)
	about := func(field, or string, n, others int) {
		switch {
		case n < 1 || n > maxItems:
			faults.Add(field, "must be 1 to %d", maxItems)
		case others > 0:
			faults.Add(field, "this task is about nothing but %s", or)
		}
	}
	fixed := []installer.Type{installer.Uninstall, installer.Configure, installer.SetRemoteInstaller}
	if slices.Contains(fixed, req.Task) && (req.Spec.CheckOnly || req.Spec.Script != nil) {
		faults.Add("spec", "is not what %s does", req.Task)
	}
	switch req.Task {
	case installer.Install, installer.Update, installer.Uninstall, installer.Configure:
		about("hosts", "known", len(req.Hosts)+len(req.Known), len(req.Of))
	case installer.SetRemoteInstaller:
		about("known", "known", len(req.Known), len(req.Hosts)+len(req.Of))
	case installer.Retry, installer.Rollback:
		about("of", "of", len(req.Of), len(req.Known))
		if req.ForAll != nil {
			checkHost("for_all", req.ForAll, forAllFields, &faults)
		}
	default:
		faults.Add("task", "must be INSTALL, UPDATE, UNINSTALL, CONFIGURE, ROLLBACK, RETRY or SET_REMOTE_INSTALLER")
	}
	if !req.FollowsUp() {
		var sent []installer.BlobRef
		if files {
			sent = req.Spec.Files()
		}
		if err := s.checkSpec(ctx, who.Project, "spec", req.Spec, sent, &faults); err != nil {
			return req, err
		}
		req.Spec.Task, req.Spec.Restore = "", "" // of a RETRY or ROLLBACK
	} else {
		req.Spec = installer.Spec{KeepTrying: req.Spec.KeepTrying}
	}
	req.Project, req.By, req.Interactive = who.Project, who.String(), true
	return req, faults.Err()
}

func checkIDs(field string, list []string, faults *installer.Faults) {
	for i, one := range list {
		if !installer.IDForm.MatchString(one) {
			faults.Add(fmt.Sprintf("%s[%d]", field, i), installer.IDRule)
		}
	}
}

func checkHosts(entries []installer.HostEntry, faults *installer.Faults) {
	for i := range entries {
		e, at := &entries[i], fmt.Sprintf("hosts[%d]", i)
		e.Where = api.Clip(e.Where, installer.MaxText)
		if what := installer.TextFault(e.Where); what != "" {
			faults.Add(at+".where", "%s", what)
		}
		at = cmp.Or(e.Where, at)
		checkHost(at, e, installer.Within(at), faults)
	}
}

func checkHost(where string, e *installer.HostEntry, at installer.At, faults *installer.Faults) {
	c := e.Credentials
	checkLogin(where, c.Login, faults)
	checkLogin(where+".sudo", installer.Login{Password: c.SudoPassword}, faults)
	for i, l := range c.Via {
		checkLogin(fmt.Sprintf("%s.via[%d]", where, i), l, faults)
	}
	*faults = append(*faults, c.Agent.Validate(installer.Within(where+".agent_keys"))...)
	*faults = append(*faults, c.Vars.Validate(installer.Within(where))...)
	*faults = append(*faults, e.Host.Validate(at)...)
	if n := len(c.Via); n > 0 && n != len(e.Host.Via) {
		faults.Add(where+".via", "must have one login for each hop")
	}
}

// checkLogin holds a login to what one of a hosts file is. Whether a key is one is seen
// when it is used: to open a key can cost a second.
func checkLogin(where string, l installer.Login, faults *installer.Faults) {
	short := func(field string, s installer.Secret) {
		if text := s.Reveal(); len(text) > installer.MaxPassword && utf8.RuneCountInString(text) > installer.MaxPassword {
			faults.Add(where+"."+field, "must have at most %d characters", installer.MaxPassword)
		}
	}
	short("password", l.Password)
	short("passphrase", l.Passphrase)
	if len(l.PrivateKey.Reveal()) > privkey.MaxText {
		faults.Add(where+".private_key", "must have at most %d bytes", privkey.MaxText)
	}
}

// forAllFields are those of a host that stands for all: who logs in, over which hops, and how root is reached.
func forAllFields(field string) string {
	if strings.HasPrefix(field, "via") || field == "become" {
		return "for_all." + field
	}
	return ""
}

// checkSpec checks what is to be done: its form, that the project has sent the files of
// it, and that host keys are looked at with no less care than the daemon's own policy wants.
// An error is the store's.
func (s *service) checkSpec(ctx context.Context, project, where string, spec installer.Spec, files []installer.BlobRef, faults *installer.Faults) error {
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
	// Batch is the new one, or the one that is resumed. Nil: none was needed.
	Batch   *installer.BatchHead `json:"batch,omitempty"`
	Resumed bool                 `json:"resumed,omitempty"`
	// Limit of failures, of all that there is to do.
	Limit int         `json:"limit,omitempty"`
	Items []plan.Item `json:"items,omitempty"`
	Notes []string    `json:"notes,omitempty"`
}

// planned tells a plan; of new invocations only if that is asked for.
func planned(p *plan.Plan, all bool) Planned {
	told := Planned{Resumed: p.Resumed != nil, Limit: p.Limit(), Notes: p.Notes}
	for _, item := range p.Items {
		if all || item.Standing != plan.New {
			told.Items = append(told.Items, item)
		}
	}
	return told
}

func (s *service) plan(ctx context.Context, who principal, in plan.Request) (Planned, error) {
	req, err := s.checked(ctx, who, in, false)
	if err != nil {
		return Planned{}, err
	}
	p, err := s.Planner.Plan(ctx, req)
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
func (s *service) submit(ctx context.Context, who principal, in plan.Request) (answer Planned, err error) {
	content, err := contentOf(in)
	if err != nil {
		return answer, err
	}
	req, err := s.checked(ctx, who, in, true)
	if err != nil {
		return answer, err
	}
	req.Content = content
	// Sent again while it is being stored, it waits for that.
	leave, err := s.submitting.take(ctx, who.Project+"/"+req.BatchID)
	if err != nil {
		return answer, err
	}
	defer leave()
	var p *plan.Plan
	if head, err := s.Store.Batch(ctx, who.Project, req.BatchID); err == nil {
		if head.Content != content {
			return answer, fmt.Errorf("batch %s %w: it was sent before, and asked for something else: other work needs another id", req.BatchID, installer.ErrExists)
		}
		if p = (&plan.Plan{Request: req}); req.FollowsUp() {
			p, err = s.Planner.Plan(ctx, req)
		}
		if err != nil {
			return answer, err
		}
		p.Items = slices.DeleteFunc(p.Items, func(i plan.Item) bool { return i.Standing == plan.New || i.Invocation.BatchID == head.ID })
	} else if p, err = s.Planner.Submit(ctx, req); err != nil {
		return answer, err
	}
	s.Engine.Wake()
	answer = planned(p, false)
	if head, err := s.Store.Batch(ctx, who.Project, p.BatchID); err == nil {
		answer.Batch = &head
	} else if !errors.Is(err, installer.ErrNotFound) { // no batch was needed
		return answer, err
	}
	return answer, nil
}

// turns are taken one after the other by the requests about one thing, while
// those about others go on.
type turns struct{ taken sync.Map } // from a key to what is closed when its turn is over

// take waits until nobody else has the turn for key, or ctx ends.
func (t *turns) take(ctx context.Context, key string) (leave func(), err error) {
	over := make(chan struct{})
	for {
		other, busy := t.taken.LoadOrStore(key, over)
		if !busy {
			return func() {
				t.taken.Delete(key)
				close(over)
			}, nil
		}
		select {
		case <-other.(chan struct{}):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
