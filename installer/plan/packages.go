package plan

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"tripod/installer"
)

func installs(task installer.Type) bool {
	return task == installer.Install || task == installer.RemoteInstall || task == installer.Update
}

func needsPackage(task installer.Type, spec installer.Spec) bool {
	return installs(task) && !spec.CheckOnly &&
		spec.Target == installer.TargetTelescope && spec.Script == nil && spec.Online == nil && len(spec.Packages) == 0
}

// fillSpecs gives each item the spec, with the packages that it needs: a host keeps the
// edition that it has where the request names none.
func (q *planning) fillSpecs(items []Item, task installer.Type, spec installer.Spec) error {
	choose := needsPackage(task, spec)
	var known map[string]installer.KnownHost
	if choose && spec.VersionType == "" {
		ids := make([]string, len(items))
		for i := range items {
			ids[i] = items[i].Invocation.Host.ID
		}
		var err error
		if known, err = q.KnownByID(q.ctx, q.Project, ids); err != nil {
			return err
		}
	}
	type choice struct {
		spec installer.Spec
		lack *Refusal
	}
	chosen := map[installer.Edition]choice{}
	for i := range items {
		item := &items[i]
		if item.Invocation.Spec = spec; !choose {
			continue
		}
		item.Edition = known[item.Invocation.Host.ID].Edition
		c, ok := chosen[item.Edition]
		if !ok {
			var err error
			if c.spec, c.lack, err = q.choose(spec, item.Edition); err != nil {
				return err
			}
			chosen[item.Edition] = c
		}
		item.Invocation.Spec, item.Refused = c.spec, cmp.Or(item.Refused, c.lack)
	}
	return nil
}

// choose takes from the package store what can serve the spec, else from the fallback. Where neither a
// version nor an edition was asked for, a host that has the agent may need no package: that is left
// to probe, but not by who waits for the whole.
func (q *planning) choose(spec installer.Spec, kept installer.Edition) (installer.Spec, *Refusal, error) {
	spec.Online = cmp.Or(spec.Online, q.Fallback.Online)
	stored, err := q.Store.Packages(q.ctx, spec.Target)
	if err != nil {
		return spec, nil, err
	}
	if spec.Packages = choosePackages(stored, spec, kept); len(spec.Packages) > 0 {
		return spec, nil, nil
	}
	spec.Packages = slices.DeleteFunc(slices.Clone(q.Fallback.Packages), func(p installer.BlobRef) bool {
		return spec.Version != "" && p.Version != "" && p.Version != spec.Version
	})
	unspecified := spec.Version == "" && spec.VersionType == "" && kept == ""
	if len(spec.Packages) > 0 || spec.Online != nil || unspecified && !q.allOrNone() {
		return spec, nil, nil
	}
	return spec, refuse(PackageMissing, q.noPackage(spec, kept, stored)), nil
}

// choosePackages returns one package for each architecture for a host whose agent is of the edition
// kept (empty: not known). A VersionType in spec is the only edition. Else a Version counts first,
// of the kept edition, then basic, then advance; without one, the newest of the kept edition alone,
// of no known one basic before advance, however new that is.
func choosePackages(stored []installer.Package, spec installer.Spec, kept installer.Edition) []installer.BlobRef {
	only, first := installer.Edition(spec.VersionType), installer.Basic
	switch {
	case only != "" || kept == "":
	case spec.Version == "":
		only = kept
	default:
		first = kept
	}
	fitting := slices.DeleteFunc(slices.Clone(stored), func(p installer.Package) bool {
		return p.Target != spec.Target || only != "" && p.Edition != only || spec.Version != "" && p.Version != spec.Version
	})
	after := func(p installer.Package) int {
		if p.Edition == first {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(fitting, func(a, b installer.Package) int {
		return cmp.Or(cmp.Compare(a.Arch, b.Arch), after(a)-after(b), installer.CompareVersions(b.Version, a.Version), b.Added.Compare(a.Added))
	})
	var refs []installer.BlobRef
	for _, p := range slices.CompactFunc(fitting, func(a, b installer.Package) bool { return a.Arch == b.Arch }) {
		p.BlobRef.Edition = p.Edition
		refs = append(refs, p.BlobRef)
	}
	return refs
}

// KnownByID are the hosts that the project knows by these ids.
func (p *Planner) KnownByID(ctx context.Context, project string, ids []string) (map[string]installer.KnownHost, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	page, err := p.Store.Hosts(ctx, project, installer.HostFilter{IDs: ids})
	known := make(map[string]installer.KnownHost, len(page.Hosts))
	for _, h := range page.Hosts {
		known[h.ID] = h
	}
	return known, err
}

// noPackage says what is missing, in the 128 characters that the API has for it (a
// version has up to 64); to who waits for the whole, what there is too.
func (q *planning) noPackage(spec installer.Spec, kept installer.Edition, stored []installer.Package) string {
	const missing = installer.KindPackageMissing
	word := func(e installer.Edition) string { return string(e) }
	if q.allOrNone() {
		word = installer.Edition.Word
	}
	switch {
	case spec.Version == "" && spec.VersionType == "" && kept != "":
		return fmt.Sprintf("%s: it has the %s edition, and there is no package of that; another is taken if edition or version say so", missing, word(kept))
	case q.allOrNone() && len(stored) == 0:
		return fmt.Sprintf("nothing to install (%s): the package store is empty; give the agent's package or a --script of your own, or fill it: tripod packages add FILE%s", missing, q.configureInstead())
	}
	what := " package"
	if spec.VersionType != "" {
		what = " " + word(installer.Edition(spec.VersionType)) + what
	}
	if spec.Version != "" {
		what += " of version " + spec.Version
	}
	if q.allOrNone() {
		return fmt.Sprintf("%s: the package store has no%s; it has %s%s", missing, what, packageWords(stored), q.configureInstead())
	}
	return fmt.Sprintf("%s: there is no%s", missing, what)
}

// configureInstead says what to do to whom only the agents' configuration matters.
func (q *planning) configureInstead() string {
	given := func(e installer.HostEntry) bool { return agentOf(e.Host) != nil || !e.Credentials.Agent.IsZero() }
	if q.Spec.Agent == nil && q.AgentKeys.IsZero() && !slices.ContainsFunc(q.Hosts, given) {
		return ""
	}
	return "; to change only the configuration of agents that are there: tripod configure"
}

func packageWords(all []installer.Package) string {
	const most = 10
	var words []string
	for _, p := range all[:min(len(all), most)] {
		words = append(words, fmt.Sprintf("%s (%s, %s)", p.Version, p.Arch, p.Edition.Word()))
	}
	if len(all) > most {
		words = append(words, fmt.Sprintf("and %d more", len(all)-most))
	}
	return strings.Join(words, ", ")
}
