package control

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"tripod/installer"
	"tripod/installer/api"
	"tripod/installer/hostsfile"
	"tripod/installer/pkgfile"
)

// Limits of requests.
const (
	// maxItems of one batch: as many as hosts files name.
	maxItems = hostsfile.MaxHosts
	// partSize is how much of a file the client sends at a time, in bytes.
	partSize = 1 << 20

	// longList is how many entries an answer has at most; of invocations, which are long
	// themselves, half of that.
	longList = 1000
)

type principal = installer.Principal

type handler[In, Out any] = func(s *service, ctx context.Context, who principal, in In) (Out, error)

// withID, change, changeAll and visible serve an operation with a method of the store.
func withID[Out any](do func(st Store, ctx context.Context, project, id string) (Out, error)) handler[ID, Out] {
	return func(s *service, ctx context.Context, who principal, in ID) (out Out, err error) {
		if !installer.IDForm.MatchString(in.ID) { // what cannot exist does not
			return out, installer.ErrNotFound
		}
		return do(s.Store, ctx, who.Project, in.ID)
	}
}

func change(do func(st Store, ctx context.Context, project, id string) error) handler[ID, struct{}] {
	return func(s *service, ctx context.Context, who principal, in ID) (none struct{}, err error) {
		return none, do(s.Store, ctx, who.Project, in.ID)
	}
}

func changeAll(do func(st Store, ctx context.Context, project string, ids []string) error) handler[IDs, struct{}] {
	return func(s *service, ctx context.Context, who principal, in IDs) (none struct{}, err error) {
		return none, do(s.Store, ctx, who.Project, in.IDs)
	}
}

func visible[Out any](do func(st Store, ctx context.Context, project string) (Out, error)) handler[OfProject, Out] {
	return func(s *service, ctx context.Context, who principal, in OfProject) (Out, error) {
		return do(s.Store, ctx, visibleTo(who, in.Project))
	}
}

// visibleTo is the project that a list is of; empty: all, which the user of the state
// folder may ask for.
func visibleTo(who principal, project string) string {
	if who.Local() {
		return project
	}
	return who.Project
}

func logOf(st Store, ctx context.Context, project, id string) (api.Stream, error) {
	log, err := st.Log(ctx, project, id)
	return api.Stream{ReadCloser: log}, err
}

func removePackage(st Store, ctx context.Context, _, sha string) error {
	if !installer.SHA256Form.MatchString(sha) {
		return installer.ErrNotFound
	}
	return st.RemovePackage(ctx, sha)
}

func (s *service) whoAmI(_ context.Context, who principal, _ struct{}) (welcome, error) {
	return welcome{who, s.Version, s.onDemand == nil, s.KnownHosts, s.Limits}, nil
}

func (s *service) batches(ctx context.Context, who principal, in Newest) ([]installer.BatchHead, error) {
	return s.Store.Batches(ctx, who.Project, atMost(in.Limit, 20, longList))
}

func (s *service) hosts(ctx context.Context, who principal, f installer.HostFilter) (installer.HostPage, error) {
	f.Offset, f.Limit = max(0, f.Offset), atMost(f.Limit, longList, longList)
	return s.Store.Hosts(ctx, who.Project, f)
}

func (s *service) packages(ctx context.Context, _ principal, in OfTarget) ([]installer.Package, error) {
	return s.Store.Packages(ctx, in.Target)
}

func (s *service) addToken(ctx context.Context, who principal, in Grant) (string, error) {
	return s.Store.AddToken(ctx, who.Project, in.Name, in.Rights)
}

func (s *service) addKey(ctx context.Context, who principal, in Grant) (NewKey, error) {
	pair, err := s.Store.AddKey(ctx, who.Project, in.Name, in.Rights)
	return NewKey{pair.AccessKey, pair.SecretKey.Reveal()}, err
}

func (s *service) audit(ctx context.Context, who principal, f installer.AuditFilter) ([]installer.AuditEntry, error) {
	f.Project, f.Limit = visibleTo(who, f.Project), atMost(f.Limit, longList, longList)
	return s.Store.Audit(ctx, f)
}

func (s *service) verifyAudit(ctx context.Context, _ principal, in Anchors) (installer.AuditReport, error) {
	return s.Store.VerifyAudit(ctx, in.Anchors...)
}

func (s *service) pruneAudit(ctx context.Context, _ principal, in Before) (int, error) {
	return s.Store.PruneAudit(ctx, in.Before)
}

// atMost is a limit of a list; not said, or none: usual.
func atMost(limit, usual, most int) int { return min(cmp.Or(max(0, limit), usual), most) }

func (s *service) batch(ctx context.Context, who principal, id string) (installer.BatchHead, error) {
	return withID(Store.Batch)(s, ctx, who, ID{id})
}

func (s *service) batchNow(ctx context.Context, who principal, in ID) (now BatchNow, err error) {
	now.Cursor = s.Hub.now() // before the batch is read: nothing that happens then is missed
	busy := s.onDemand == nil || s.onDemand.worksOn(who.Project, in.ID)
	now.BatchHead, err = s.batch(ctx, who, in.ID)
	now.UnderWay = busy && now.Open > 0
	return now, err
}

func (s *service) invocations(ctx context.Context, who principal, f installer.Filter) (installer.Page, error) {
	for _, one := range []string{f.BatchID, f.InvocationID, f.InstanceID} {
		if one != "" && !installer.IDForm.MatchString(one) {
			return installer.Page{Invocations: []installer.Invocation{}}, nil
		}
	}
	f.ProjectID, f.Offset, f.Limit = who.Project, max(0, f.Offset), atMost(f.Limit, longList/2, longList/2)
	return s.Store.Invocations(ctx, f)
}

func (s *service) cancel(ctx context.Context, who principal, in OfBatch) ([]string, error) {
	if _, err := s.batch(ctx, who, in.BatchID); err != nil {
		return nil, err
	}
	asked, err := cancelOpen(ctx, s.Store, installer.Filter{ProjectID: who.Project, BatchID: in.BatchID, InvocationID: in.InvocationID})
	for _, inv := range asked {
		s.Engine.Cancel(inv)
	}
	s.Engine.Wake()
	s.Hub.Nudge()
	return asked, err
}

func (s *service) addToFile(ctx context.Context, who principal, in filePart) (state fileState, err error) {
	if len(in.Data) == 0 && in.Size != 0 {
		state.Have, state.Complete, err = s.Store.BlobSize(ctx, who.Project, in.SHA256)
	} else {
		state.Have, state.Complete, err = s.Store.AddToBlob(ctx, who.Project, installer.BlobRef{SHA256: in.SHA256, Size: in.Size}, in.Offset, in.Data)
	}
	return state, err
}

func (s *service) forgetKeys(ctx context.Context, who principal, in ID) (int, error) {
	host, err := hostsfile.ParseEndpoint(in.ID, "", installer.DefaultPort)
	if err != nil {
		return 0, installer.Faults{{Where: "host", What: err.Error()}}
	}
	return s.Store.ForgetKeys(ctx, who.Project, host.HostPort())
}

func (s *service) addHosts(ctx context.Context, who principal, in HostEntries) (none struct{}, err error) {
	var faults installer.Faults
	if len(in.Hosts) == 0 || len(in.Hosts) > maxItems {
		faults.Add("hosts", "must be 1 to %d", maxItems)
	}
	checkHosts(in.Hosts, &faults)
	if err := faults.Err(); err != nil {
		return none, err
	}
	for i := range in.Hosts {
		in.Hosts[i].Host.DeriveIPs()
	}
	return none, s.Store.RegisterHosts(ctx, who.Project, in.Hosts)
}

// addPackage looks into the archive again: what a client says of it is not
// taken for true.
func (s *service) addPackage(ctx context.Context, who principal, p installer.Package) (none struct{}, err error) {
	var faults installer.Faults
	spec := installer.Spec{Target: p.Target, HostKeys: s.HostKeys, Packages: []installer.BlobRef{p.BlobRef}}
	if err := s.checkSpec(ctx, who.Project, "package", spec, spec.Packages, &faults); err != nil {
		return none, err
	}
	if err := faults.Err(); err != nil {
		return none, err
	}
	blob, err := s.Store.OpenBlob(p.BlobRef)
	if err != nil {
		return none, err
	}
	info, err := pkgfile.Inspect(io.NewSectionReader(blob, 0, p.Size), p.Name)
	switch {
	case errors.Is(err, pkgfile.ErrNotPackage):
		return none, installer.Faults{{Where: p.Name, What: err.Error()}}
	case err != nil:
		return none, err
	case info.Arch != "" && info.Arch != p.Arch:
		return none, installer.Faults{{Where: p.Name, What: fmt.Sprintf("is for %s, not for %s", info.Arch, p.Arch)}}
	}
	p.Added = time.Now()
	return none, s.Store.AddPackage(ctx, p)
}
