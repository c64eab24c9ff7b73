package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tripod/installer"
	"tripod/installer/control"
	"tripod/store"
)

// needsPackage reports whether the work cannot be done without a package and
// has none yet.
func needsPackage(spec installer.Spec) bool {
	return spec.Target == installer.TargetTelescope && spec.Script == nil && spec.Online == nil && len(spec.Packages) == 0
}

// choosePackages takes what fits from the catalogue, or says why nothing does.
// Which of them a host needs is seen on the host.
func (a *app) choosePackages(ctx context.Context, spec *installer.Spec) (fault string, err error) {
	all, err := a.catalogue(ctx, spec.Target)
	if err != nil {
		return "", err
	}
	spec.Packages = installer.ChoosePackages(all, *spec, "")
	switch {
	case len(spec.Packages) > 0:
		return "", nil
	case len(all) == 0:
		return fmt.Sprintf("nothing to install (%s): the catalogue is empty; give the agent's package or a --script of your own, or fill it: tripod packages add FILE", installer.KindPackageMissing), nil
	}
	return fmt.Sprintf("%s: the catalogue has no%s; it has %s", installer.KindPackageMissing, wantedPackage(*spec), packageWords(all)), nil
}

// keepEditions gives hosts of which the edition is known packages that go with it,
// where the user has named none; other hosts get what the plan has already.
func keepEditions(ctx context.Context, from *control.Client, project string, p *plan) error {
	if !p.catalogued {
		return nil
	}
	has, err := editionsOf(ctx, from, project, p.targets)
	if err != nil || len(has) == 0 {
		return err
	}
	p.editions = has
	all, err := from.Packages(ctx, p.spec.Target)
	if err != nil {
		return err
	}
	var faults installer.Faults
	p.packages = map[string][]installer.BlobRef{}
	for _, entry := range p.entries {
		edition := has[entry.Host.ID]
		if edition == "" {
			continue
		}
		own := installer.ChoosePackages(all, p.spec, edition)
		if len(own) == 0 {
			faults.Add(entry.Where, "%s: %s has the %s edition, and the catalogue has no package of that; another edition is taken if --edition or --version says so",
				installer.KindPackageMissing, entry.Host.Label(), editionWord(edition))
		}
		p.packages[entry.Host.ID] = own
	}
	return faults.Err()
}

// editionsOf finds the editions of the hosts that are known to have one.
func editionsOf(ctx context.Context, from *control.Client, project string, t targets) (map[string]installer.Edition, error) {
	const most = 100 // ids in one request
	has := map[string]installer.Edition{}
	for entries := range slices.Chunk(t.entries, most) {
		ids := make([]string, len(entries))
		for i := range entries {
			ids[i] = entries[i].Host.ID
		}
		page, err := from.Hosts(ctx, project, installer.HostFilter{IDs: ids})
		if err != nil {
			return nil, err
		}
		for _, h := range page.Hosts {
			if h.Edition != "" {
				has[h.ID] = h.Edition
			}
		}
	}
	return has, nil
}

// wantedPackage puts into words what was asked for.
func wantedPackage(spec installer.Spec) string {
	what := " package"
	if spec.VersionType != "" {
		what = " " + editionWord(installer.Edition(spec.VersionType)) + what
	}
	if spec.Version != "" {
		what += " of version " + spec.Version
	}
	return what
}

// packageWords lists a catalogue in a line.
func packageWords(all []installer.Package) string {
	const most = 10
	var words []string
	for _, p := range all[:min(len(all), most)] {
		words = append(words, fmt.Sprintf("%s (%s, %s)", p.Version, p.Arch, editionWord(p.Edition)))
	}
	if len(all) > most {
		words = append(words, fmt.Sprintf("and %d more", len(all)-most))
	}
	return strings.Join(words, ", ")
}

// catalogue reads the packages that there are; none where there is no state yet.
func (a *app) catalogue(ctx context.Context, target string) (all []installer.Package, err error) {
	err = a.look(ctx, func(from *control.Client) error {
		all, err = from.Packages(ctx, target)
		return err
	})
	if errors.Is(err, store.ErrNoState) {
		return nil, nil
	}
	return all, err
}
