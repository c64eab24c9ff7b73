package control

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"

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

	mostBatches     = 1000 // in one answer, and so on
	mostInvocations = 500
	mostHosts       = 1000
	mostEntries     = 1000
)

type principal = installer.Principal

// none is the answer of what only changes something.
func none(err error) (struct{}, error) { return struct{}{}, err }

// endpoints are the operations as they are served.
func (s *service) endpoints() []endpoint {
	st := s.Store
	return []endpoint{
		handle(s, whoAmI, func(_ context.Context, who principal, _ struct{}) (welcome, error) {
			return welcome{who, s.Version, s.OnDemand == nil, s.KnownHosts}, nil
		}),
		handle(s, listBatches, func(ctx context.Context, who principal, in newest) ([]installer.BatchHead, error) {
			return st.Batches(ctx, who.Project, atMost(in.Limit, 20, mostBatches))
		}),
		handle(s, getBatch, func(ctx context.Context, who principal, in id) (batchNow, error) {
			cursor := s.Hub.now()
			head, err := s.batch(ctx, who, in.ID)
			return batchNow{head, cursor}, err
		}),
		handle(s, submitBatch, s.submit),
		handle(s, planBatch, s.plan),
		handle(s, cancelBatch, s.cancel),
		handle(s, followBatch, s.follow),
		handle(s, leaveBatch, s.leave),
		handle(s, listInvocations, s.invocations),
		handle(s, getInvocation, func(ctx context.Context, who principal, in id) (installer.Invocation, error) {
			if !installer.IDForm.MatchString(in.ID) {
				return installer.Invocation{}, installer.ErrNotFound
			}
			return st.Invocation(ctx, who.Project, in.ID)
		}),
		handle(s, getLog, func(ctx context.Context, who principal, in id) (api.Stream, error) {
			if !installer.IDForm.MatchString(in.ID) {
				return api.Stream{}, installer.ErrNotFound
			}
			log, err := st.Log(ctx, who.Project, in.ID)
			return api.Stream{ReadCloser: log}, err
		}),
		handle(s, addToFile, func(ctx context.Context, who principal, in filePart) (state fileState, err error) {
			if len(in.Data) == 0 && in.Size != 0 {
				state.Have, state.Complete, err = st.BlobSize(ctx, who.Project, in.SHA256)
			} else {
				state.Have, state.Complete, err = st.AddToBlob(ctx, who.Project, installer.BlobRef{SHA256: in.SHA256, Size: in.Size}, in.Offset, in.Data)
			}
			return state, err
		}),
		handle(s, listHosts, func(ctx context.Context, who principal, in installer.HostFilter) (installer.HostPage, error) {
			in.Offset, in.Limit = max(0, in.Offset), atMost(in.Limit, mostHosts, mostHosts)
			return st.Hosts(ctx, who.Project, in)
		}),
		handle(s, addHosts, s.addHosts),
		handle(s, removeHosts, func(ctx context.Context, who principal, in ids) (struct{}, error) {
			return none(st.RemoveHosts(ctx, who.Project, in.IDs))
		}),
		handle(s, forgetKeys, func(ctx context.Context, who principal, in id) (int, error) {
			host, err := hostsfile.ParseEndpoint(in.ID, "", installer.DefaultPort)
			if err != nil {
				return 0, installer.Faults{{Where: "host", What: err.Error()}}
			}
			return st.ForgetKeys(ctx, who.Project, host.HostPort())
		}),
		handle(s, unsetInstallers, func(ctx context.Context, who principal, in ids) (struct{}, error) {
			return none(st.UnsetInstallers(ctx, who.Project, in.IDs))
		}),
		handle(s, listPackages, func(ctx context.Context, _ principal, in ofTarget) ([]installer.Package, error) {
			return st.Packages(ctx, in.Target)
		}),
		handle(s, addPackage, s.addPackage),
		handle(s, removePackage, func(ctx context.Context, _ principal, in id) (struct{}, error) {
			if !installer.SHA256Form.MatchString(in.ID) {
				return none(installer.ErrNotFound)
			}
			return none(st.RemovePackage(ctx, in.ID))
		}),
		handle(s, listTokens, func(ctx context.Context, who principal, in ofProject) ([]installer.TokenInfo, error) {
			return st.Tokens(ctx, visible(who, in.Project))
		}),
		handle(s, addToken, func(ctx context.Context, who principal, in grant) (string, error) {
			return st.AddToken(ctx, who.Project, in.Name, in.Rights)
		}),
		handle(s, removeToken, func(ctx context.Context, who principal, in id) (struct{}, error) {
			return none(st.RemoveToken(ctx, who.Project, in.ID))
		}),
		handle(s, listKeys, func(ctx context.Context, who principal, in ofProject) ([]installer.KeyInfo, error) {
			return st.Keys(ctx, visible(who, in.Project))
		}),
		handle(s, addKey, func(ctx context.Context, who principal, in grant) (newKey, error) {
			pair, err := st.AddKey(ctx, who.Project, in.Name, in.Rights)
			return newKey{pair.AccessKey, pair.SecretKey.Reveal()}, err
		}),
		handle(s, removeKey, func(ctx context.Context, who principal, in id) (struct{}, error) {
			return none(st.RemoveKey(ctx, who.Project, in.ID))
		}),
		handle(s, listAudit, func(ctx context.Context, who principal, in installer.AuditFilter) ([]installer.AuditEntry, error) {
			in.Project, in.Limit = visible(who, in.Project), atMost(in.Limit, mostEntries, mostEntries)
			return st.Audit(ctx, in)
		}),
		handle(s, verifyAudit, func(ctx context.Context, _ principal, in anchors) (installer.AuditReport, error) {
			return st.VerifyAudit(ctx, in.Anchors...)
		}),
		handle(s, pruneAudit, func(ctx context.Context, _ principal, in before) (int, error) {
			return st.PruneAudit(ctx, in.Before)
		}),
	}
}

// atMost is a limit of a list; not said, or none: usual.
func atMost(limit, usual, most int) int { return min(cmp.Or(max(0, limit), usual), most) }

// visible is the project that a list is of; empty: all, which the user of the state
// folder may ask for.
func visible(who principal, project string) string {
	if who.Local() {
		return project
	}
	return who.Project
}

// batch returns a head. An id that cannot exist does not.
func (s *service) batch(ctx context.Context, who principal, batchID string) (installer.BatchHead, error) {
	if !installer.IDForm.MatchString(batchID) {
		return installer.BatchHead{}, installer.ErrNotFound
	}
	return s.Store.Batch(ctx, who.Project, batchID)
}

func (s *service) invocations(ctx context.Context, who principal, f installer.Filter) (installer.Page, error) {
	for _, one := range []string{f.BatchID, f.InvocationID, f.InstanceID} {
		if one != "" && !installer.IDForm.MatchString(one) {
			return installer.Page{Invocations: []installer.Invocation{}}, nil
		}
	}
	f.ProjectID, f.Offset, f.Limit = who.Project, max(0, f.Offset), atMost(f.Limit, mostInvocations, mostInvocations)
	return s.Store.Invocations(ctx, f)
}

func (s *service) cancel(ctx context.Context, who principal, in ofBatch) ([]string, error) {
	if _, err := s.batch(ctx, who, in.BatchID); err != nil {
		return nil, err
	}
	asked, err := cancelOpen(ctx, s.Store, installer.Filter{ProjectID: who.Project, BatchID: in.BatchID, InvocationID: in.InvocationID})
	for _, inv := range asked {
		s.Cancel(inv)
	}
	s.Wake()
	s.Hub.Nudge()
	return asked, err
}

func (s *service) addHosts(ctx context.Context, who principal, in hostEntries) (struct{}, error) {
	var faults installer.Faults
	if len(in.Hosts) == 0 || len(in.Hosts) > maxItems {
		faults.Add("hosts", "must be 1 to %d", maxItems)
	}
	checkHosts(in.Hosts, &faults)
	if err := faults.Err(); err != nil {
		return none(err)
	}
	for i := range in.Hosts {
		in.Hosts[i].Host.DeriveIPs()
	}
	return none(s.Store.RegisterHosts(ctx, who.Project, in.Hosts))
}

// addPackage looks into the archive again: what a client says of it is not
// taken for true.
func (s *service) addPackage(ctx context.Context, who principal, p installer.Package) (struct{}, error) {
	var faults installer.Faults
	spec := installer.Spec{Target: p.Target, HostKeys: s.HostKeys, Packages: []installer.BlobRef{p.BlobRef}}
	if err := s.checkSpec(ctx, who.Project, "package", spec, spec.Packages, &faults); err != nil {
		return none(err)
	}
	if err := faults.Err(); err != nil {
		return none(err)
	}
	blob, err := s.Store.OpenBlob(p.BlobRef)
	if err != nil {
		return none(err)
	}
	info, err := pkgfile.Inspect(io.NewSectionReader(blob, 0, p.Size), p.Name)
	switch {
	case errors.Is(err, pkgfile.ErrNotPackage):
		return none(installer.Faults{{Where: p.Name, What: err.Error()}})
	case err != nil:
		return none(err)
	case info.Arch != "" && info.Arch != p.Arch:
		return none(installer.Faults{{Where: p.Name, What: fmt.Sprintf("is for %s, not for %s", info.Arch, p.Arch)}})
	}
	p.Added = s.Clock()
	return none(s.Store.AddPackage(ctx, p))
}
