package control

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"tripod/installer"
	"tripod/installer/plan"
)

// submission makes a batch of what the client sent, or tells all that is wrong
// with it. What the client does not decide is filled in: project, times, who.
func (s service) submission(ctx context.Context, who installer.Principal, w wireBatch) (Submission, error) {
	c := &checker{service: s, ctx: ctx, who: who, unpacker: newUnpacker(w.Logins)}
	c.id("batch_id", w.BatchID)
	if w.Fingerprint != "" {
		c.id("fingerprint", w.Fingerprint)
	}
	if what := installer.TextFault(w.Source); what != "" {
		c.faults.Add("source", "%s", what)
	}
	if len(w.Items) == 0 || len(w.Items) > maxItems {
		c.faults.Add("items", "must be 1 to %d", maxItems)
		return Submission{}, c.faults
	}
	if w.MaxFailures < 0 {
		c.faults.Add("max_failures", "must not be negative")
	}
	for i, spec := range w.Specs {
		if err := c.spec(fmt.Sprintf("specs[%d]", i), spec); err != nil {
			return Submission{}, err
		}
	}
	now := s.Clock()
	sub := Submission{
		Batch: installer.Batch{BatchHead: installer.BatchHead{
			ID: w.BatchID, ProjectID: who.Project, Created: now, Fingerprint: w.Fingerprint,
			Source: w.Source, By: who.String(), MaxFailures: w.MaxFailures,
			Total: len(w.Items), Open: len(w.Items),
		}},
		Inherit: map[string]string{},
	}
	for i := range w.Items {
		item, err := c.item(fmt.Sprintf("items[%d]", i), &w.Items[i], w.Specs)
		if err != nil {
			return Submission{}, err
		}
		item.Invocation.BatchID, item.Invocation.Created, item.Invocation.Updated = w.BatchID, now, now
		sub.Items = append(sub.Items, item)
		if from := w.Items[i].Inherit; from != "" {
			c.id(fmt.Sprintf("items[%d].inherit", i), from)
			sub.Inherit[item.Invocation.ID] = from
		}
	}
	if err := c.denied.note(ctx, s.Store, who.Project); err != nil {
		return Submission{}, err
	}
	c.notSent(c.before)
	return sub, c.faults.Err()
}

// checker finds what is wrong with a submission.
type checker struct {
	service
	ctx context.Context
	who installer.Principal
	*unpacker
	// unsent are files that the project has not sent; before are those of its own
	// invocations that this is about, which it may use again.
	unsent []unsent
	before map[content]bool
	denied denied
}

type content struct {
	sha256 string
	size   int64
}

type unsent struct {
	where string
	content
}

// notSent makes faults of the unsent files but for those of before.
func (c *checker) notSent(before map[content]bool) {
	for _, u := range c.unsent {
		if !before[u.content] {
			c.faults.Add(u.where, "the file %s is not here: send it first", u.sha256)
		}
	}
}

// again lets the files of an invocation of the project be used once more.
func (c *checker) again(spec installer.Spec) {
	if len(c.unsent) == 0 {
		return
	}
	if c.before == nil {
		c.before = map[content]bool{}
	}
	for _, ref := range spec.Files() {
		c.before[content{ref.SHA256, ref.Size}] = true
	}
}

func (c *checker) id(where, id string) {
	if !installer.IDForm.MatchString(id) {
		c.faults.Add(where, installer.IDRule)
	}
}

// spec checks what is to be done. An error is the store's.
func (c *checker) spec(where string, s installer.Spec) error {
	if faults := s.Validate(installer.Within(where)); len(faults) > 0 {
		c.faults = append(c.faults, faults...)
		return nil
	}
	if s.HostKeys.WeakerThan(c.HostKeys) {
		c.faults.Add(where+".host_keys", "%s is weaker than the daemon's own %s, and refused (--host-keys)", s.HostKeys, c.HostKeys)
	}
	for _, ref := range s.Files() {
		have, complete, err := c.Store.BlobSize(c.ctx, c.who.Project, ref.SHA256)
		if err != nil {
			return err
		}
		if !complete || have != ref.Size {
			c.unsent = append(c.unsent, unsent{where, content{ref.SHA256, ref.Size}})
		}
	}
	return nil
}

// item checks one invocation. An error is the store's.
func (c *checker) item(where string, w *wireItem, specs []installer.Spec) (installer.Item, error) {
	item := installer.Item{Invocation: installer.Invocation{
		ID: w.ID, ProjectID: c.who.Project, Type: w.Type, Host: w.Host, RunID: w.RunID, Of: w.Of, State: installer.Pending,
	}}
	c.id(where+".invocation_id", w.ID)
	if w.Spec < 0 || w.Spec >= len(specs) {
		c.faults.Add(where+".spec", "is no index of specs")
	} else {
		item.Invocation.Spec = specs[w.Spec]
	}
	switch w.Type {
	case installer.Install, installer.Update, installer.Rollback, installer.Retry, installer.SetRemoteInstaller:
	default:
		c.faults.Add(where+".type", "must be INSTALL, UPDATE, ROLLBACK, RETRY or SET_REMOTE_INSTALLER")
	}
	c.faults = append(c.faults, item.Invocation.Host.Validate(installer.Within(where+".host"))...)
	if err := c.toBeInstaller(where, &item.Invocation); err != nil {
		return item, err
	}
	c.dialled(item.Invocation.Host)
	item.Credentials = c.credentials(where, w.wireCredentials)
	if n := len(w.Host.Via); len(w.Via) > 0 && len(w.Via) != n {
		c.faults.Add(where+".via", "must have one login for each hop")
	}
	return item, c.about(where, w, &item.Invocation)
}

// about checks an invocation against the one that it is about, if it is a RETRY
// or a ROLLBACK: that may be asked for, and the run folder's name is the
// invocation's own, or that of the one before it on the same host.
func (c *checker) about(where string, w *wireItem, inv *installer.Invocation) error {
	again := w.Type == installer.Retry || w.Type == installer.Rollback
	if again != (w.Of != "") {
		c.faults.Add(where+".of", "RETRY and ROLLBACK have it, and no other type")
		return nil
	}
	if !again {
		if w.RunID != "" && w.RunID != w.ID {
			c.faults.Add(where+".run_id", "must be the invocation's own id")
		}
		if inv.Task() != w.Type {
			c.faults.Add(where+".task", "must be the type, or empty")
		}
		return nil
	}
	if !installer.IDForm.MatchString(w.Of) {
		c.id(where+".of", w.Of)
		return nil
	}
	old, err := c.Store.Invocation(c.ctx, c.who.Project, w.Of)
	switch {
	case errors.Is(err, installer.ErrNotFound):
		c.faults.Add(where+".of", "no such invocation in this project")
		return nil
	case err != nil:
		return err
	}
	c.again(old.Spec)
	switch {
	case old.Host.ID != w.Host.ID:
		c.faults.Add(where+".of", "is of another host")
	case w.RunID != "" && w.RunID != w.ID && w.RunID != old.RunID:
		c.faults.Add(where+".run_id", "must be the invocation's own id, or that of its run before")
	}
	if err := installer.Allow(w.Type, &old); err != nil {
		c.faults.Add(w.Host.Label(), "%v", err)
		return nil
	}
	made := installer.RollbackOf(&old)
	if w.Type == installer.Retry {
		made = installer.RetryOf(&old)
	}
	if inv.Task() != made.Task() || inv.Spec.Restore != made.Spec.Restore {
		c.faults.Add(where+".spec", "is not what %s does", w.Of)
	}
	inv.Outcome = made.Outcome
	return nil
}

// dialled asks the target policy about the address that the daemon itself would
// connect to, and about the host's. A name is judged when it is dialled.
func (c *checker) dialled(h installer.Host) {
	addresses := []string{h.Address}
	if len(h.Via) > 0 {
		addresses = append(addresses, h.Via[0].Address)
	}
	for _, address := range addresses {
		addr, err := netip.ParseAddr(address)
		if err != nil {
			continue
		}
		if err := c.Policy(addr); err != nil {
			c.faults.Add(h.Label(), "%s: %v", installer.KindPolicyDenied, err)
			c.denied.add(h.ID, addr, err)
		}
	}
}

// denied are the addresses that the target policy refused. What is said of them
// goes into the audit log: nothing of it is the client's own text but an id.
type denied struct {
	hosts []installer.AuditHost
	why   string
}

func (d *denied) add(id string, addr netip.Addr, why error) {
	if addr.Zone() != "" { // any text, and no address of a host
		return
	}
	if !installer.IDForm.MatchString(id) {
		id = ""
	}
	if d.hosts = append(d.hosts, installer.AuditHost{ID: id, At: addr.String()}); d.why == "" {
		d.why = string(installer.KindPolicyDenied) + ": " + why.Error()
	}
}

// note puts them into the audit log, all in one entry.
func (d *denied) note(ctx context.Context, log plan.Denials, project string) error {
	if len(d.hosts) == 0 {
		return nil
	}
	return log.NoteDenied(ctx, project, "", d.hosts, d.why)
}
