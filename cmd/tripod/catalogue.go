package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"tripod/installer"
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
	edition := installer.Edition(spec.VersionType)
	spec.Packages = installer.ChoosePackages(all, spec.Target, edition, spec.Version)
	switch {
	case len(spec.Packages) > 0:
		return "", nil
	case len(all) == 0:
		return fmt.Sprintf("nothing to install (%s): the catalogue is empty; give the agent's package or a --script of your own, or fill it: tripod packages add FILE", installer.KindPackageMissing), nil
	}
	return fmt.Sprintf("%s: the catalogue has no%s; it has %s", installer.KindPackageMissing, wantedPackage(*spec), packageWords(all)), nil
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
	err = looking(a, func(from packageList) error {
		all, err = from.Packages(ctx, target)
		return err
	})
	if errors.Is(err, store.ErrNoState) {
		return nil, nil
	}
	return all, err
}
