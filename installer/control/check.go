package control

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"time"
	"unicode"
	"unicode/utf8"

	"tripod/installer"
	"tripod/installer/api"
	"tripod/installer/hostsfile"
	"tripod/installer/meta"
)

var (
	targetForm  = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)
	versionForm = regexp.MustCompile(`^[0-9A-Za-z_.-]{0,64}$`)
	archForm    = regexp.MustCompile(`^[a-z0-9]{0,16}$`)
	hashForm    = regexp.MustCompile(`^[0-9a-f]{64}$`)
	wordForm    = regexp.MustCompile(`^[A-Z_]{0,32}$`)
)

// Bounds of what a client may ask for.
const (
	longestRun = 24 * time.Hour
	maxHops    = 8
	maxHostKey = 16 << 10
	maxText    = 256 // characters of a name or a source
	maxList    = 64  // packages of a spec, addresses of a host
)

// submission makes a batch of what the client sent, or tells all that is wrong
// with it. What the client does not decide is filled in: project, times, who.
func (s service) submission(ctx context.Context, who installer.Principal, w wireBatch) (Submission, error) {
	c := &checker{service: s, ctx: ctx, who: who, unpacker: newUnpacker(w.Logins)}
	c.id("batch_id", w.BatchID)
	if w.Fingerprint != "" {
		c.id("fingerprint", w.Fingerprint)
	}
	c.text("source", w.Source)
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
	if spec.Script != nil {
		c.before[content{spec.Script.SHA256, spec.Script.Size}] = true
	}
	for _, ref := range spec.Packages {
		c.before[content{ref.SHA256, ref.Size}] = true
	}
}

func (c *checker) id(where, id string) {
	if !installer.IDForm.MatchString(id) {
		c.faults.Add(where, "must be 1–64 letters, digits and '-'")
	}
}

func (c *checker) form(where, text string, form *regexp.Regexp) {
	if !form.MatchString(text) {
		c.faults.Add(where, "must match %s", form)
	}
}

func (c *checker) text(where, text string) {
	if utf8.RuneCountInString(text) > maxText || !utf8.ValidString(text) {
		c.faults.Add(where, "must have at most %d characters of UTF-8", maxText)
	}
	for _, r := range text {
		if unicode.IsControl(r) {
			c.faults.Add(where, "holds a control character")
			return
		}
	}
}

// spec checks what is to be done. An error is the store's.
func (c *checker) spec(where string, s installer.Spec) error {
	c.form(where+".target", s.Target, targetForm)
	c.form(where+".version", s.Version, versionForm)
	c.form(where+".restore", s.Restore, versionForm)
	c.form(where+".version_type", s.VersionType, wordForm)
	c.form(where+".origin", s.Origin, wordForm)
	c.form(where+".task", string(s.Task), wordForm)
	if o := s.Online; o != nil {
		if err := o.CheckURL(); err != nil {
			c.faults.Add(where+".online.url", "%v", err)
		}
		if err := o.CheckRegion(); err != nil {
			c.faults.Add(where+".online.region", "%v", err)
		}
	}
	if s.RunTimeout < 0 || s.RunTimeout > longestRun {
		c.faults.Add(where+".run_timeout", "must be at most %s", longestRun)
	}
	c.hostKeys(where+".host_keys", s.HostKeys)
	refs := slices.Clone(s.Packages)
	if s.Script != nil {
		refs = append(refs, *s.Script)
	}
	if len(refs) > maxList {
		c.faults.Add(where+".packages", "are more than %d", maxList)
		return nil
	}
	for _, ref := range refs {
		if err := c.blob(where, ref); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) blob(where string, ref installer.BlobRef) error {
	c.form(where+".arch", ref.Arch, archForm)
	c.form(where+".package_version", ref.Version, versionForm)
	c.form(where+".edition", string(ref.Edition), wordForm)
	c.text(where+".name", ref.Name)
	if ref.Name == "" || path.Base(ref.Name) != ref.Name {
		c.faults.Add(where+".name", "must be a file's name, without folders")
	}
	if !hashForm.MatchString(ref.SHA256) {
		c.faults.Add(where+".sha256", "must be 64 hexadecimal digits")
		return nil
	}
	have, complete, err := c.Store.BlobSize(c.ctx, c.who.Project, ref.SHA256)
	if err == nil && (!complete || have != ref.Size) {
		c.unsent = append(c.unsent, unsent{where, content{ref.SHA256, ref.Size}})
	}
	return err
}

// hostKeys: a client may be stricter than the daemon, and not the other way round.
func (c *checker) hostKeys(where string, policy installer.HostKeyPolicy) {
	switch {
	case !policy.Known():
		c.faults.Add(where, "must be accept-new, strict or insecure")
	case policy.WeakerThan(c.HostKeys):
		c.faults.Add(where, "%s is weaker than the daemon's own %s, and refused (--host-keys)", policy, c.HostKeys)
	}
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
	c.host(where+".host", &item.Invocation.Host)
	if err := c.toBeInstaller(where, &item.Invocation); err != nil {
		return item, err
	}
	c.dialled(w.Host)
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

// host checks a host as one of a hosts file is, and brings what has several forms
// into the usual one.
func (c *checker) host(where string, h *installer.Host) {
	c.id(where+".instance_id", h.ID)
	if fault := hostsfile.NameFault(h.Name); fault != "" {
		c.faults.Add(where+".instance_name", "%s", fault)
	}
	c.endpoint(where, &h.Endpoint)
	if len(h.Via) > maxHops {
		c.faults.Add(where+".via", "has more than %d hops", maxHops)
		return
	}
	for i := range h.Via {
		c.endpoint(fmt.Sprintf("%s.via[%d]", where, i), &h.Via[i])
	}
	c.through(where, *h)
	switch h.Type {
	case installer.ECS, installer.BMS:
	case "":
		h.Type = installer.ECS // lists are filtered by it
	default:
		c.faults.Add(where+".instance_type", meta.InstanceTypeRule)
	}
	if h.Sudo != installer.SudoAuto && h.Sudo != installer.SudoNever {
		c.faults.Add(where+".sudo", "must be empty or never")
	}
	c.ips(where+".intranet_ips", h.IntranetIPs)
	c.ips(where+".elastic_ips", h.ElasticIPs)
	if len(h.Labels) > installer.MaxLabels {
		c.faults.Add(where+".labels", "has more than %d labels", installer.MaxLabels)
	}
	for name, value := range h.Labels {
		if fault := installer.LabelFault(name, value); fault != "" {
			c.faults.Add(where+".labels", "%s", fault)
		}
	}
}

func (c *checker) ips(where string, ips []string) {
	if len(ips) > meta.MaxIPs {
		c.faults.Add(where, "has more than %d addresses", meta.MaxIPs)
	}
	for i, text := range ips {
		ip, ok := meta.ParseIP(text)
		if !ok {
			c.faults.Add(fmt.Sprintf("%s[%d]", where, i), meta.IPRule)
		}
		ips[i] = ip
	}
}

// endpoint: what a hosts file could not hold is refused here too.
func (c *checker) endpoint(where string, e *installer.Endpoint) {
	parsed, err := hostsfile.ParseEndpoint(e.User+"@"+e.HostPort(), "", installer.DefaultPort)
	if err != nil || parsed.Address != e.Address || parsed.Port != e.Port || parsed.User != e.User {
		c.faults.Add(where, "address, port and user are not those of a host")
	}
	switch key, err := hostsfile.ParseHostKey(e.HostKey[:min(len(e.HostKey), maxHostKey+1)]); {
	case e.HostKey == "":
	case len(e.HostKey) > maxHostKey:
		c.faults.Add(where+".host_key", "is longer than %d bytes", maxHostKey)
	case err != nil:
		c.faults.Add(where+".host_key", "%v", err)
	default:
		e.HostKey = key
	}
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
func (d *denied) note(ctx context.Context, log api.Denials, project string) error {
	if len(d.hosts) == 0 {
		return nil
	}
	return log.NoteDenied(ctx, project, "", d.hosts, d.why)
}
