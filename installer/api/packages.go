package api

import (
	"cmp"
	"context"
	"slices"

	"tripod/installer"
)

// choosePackages puts into the spec what can serve it: of the catalogue, else
// the daemon's own packages, of which nobody knows the edition and some do not
// tell their version. Without a version_type, what the host has already (kept;
// empty: not known) stays its edition. The fault is for a version or an edition
// that nothing fits; where neither was asked for, a host that has the agent already
// may need no package, and only probe knows.
func (s service) choosePackages(ctx context.Context, spec *installer.Spec, kept installer.Edition) (*itemError, error) {
	if spec.Script != nil {
		return nil, nil // it brings what it installs
	}
	if s.Packages != nil {
		catalogue, err := s.Packages.Packages(ctx, spec.Target)
		if err != nil {
			return nil, err
		}
		fitting := installer.ChoosePackages(catalogue, spec.Target, cmp.Or(installer.Edition(spec.VersionType), kept), spec.Version)
		if len(fitting) > 0 {
			spec.Packages = fitting
			return nil, nil
		}
	}
	spec.Packages = slices.DeleteFunc(slices.Clone(s.Spec.Packages), func(p installer.BlobRef) bool {
		return spec.Version != "" && p.Version != "" && p.Version != spec.Version
	})
	switch {
	case len(spec.Packages) > 0 || spec.Online != nil:
		return nil, nil
	case spec.VersionType == "" && kept != "":
		return itemFault(ItemPackageMissing, "package-missing: the instance has "+string(kept)+", and none of it fits; another is taken if version_type says so"), nil
	case spec.Version == "" && spec.VersionType == "":
		return nil, nil
	}
	return itemFault(ItemPackageMissing, "package-missing: no package fits the wanted version and version_type"), nil
}

// fitted are specs with the packages chosen, one for each edition that hosts have.
type fitted struct {
	service
	spec      installer.Spec
	hosts     map[string]installer.KnownHost
	byEdition map[installer.Edition]fit
}

type fit struct {
	spec  installer.Spec
	fault *itemError
}

// fitting chooses packages for tasks on hosts, of which it looks up these.
func (s service) fitting(ctx context.Context, project string, spec installer.Spec, ids []string) (*fitted, error) {
	f := &fitted{service: s, spec: spec, byEdition: map[installer.Edition]fit{}}
	if spec.VersionType != "" || spec.Script != nil {
		return f, nil // the edition is given, or there is none
	}
	var err error
	f.hosts, err = s.knownHosts(ctx, project, ids)
	return f, err
}

// on is the spec for a task on the host, and what it lacks.
func (f *fitted) on(ctx context.Context, id string) (installer.Spec, *itemError, error) {
	edition := f.hosts[id].Edition
	if done, ok := f.byEdition[edition]; ok {
		return done.spec, done.fault, nil
	}
	spec := f.spec
	fault, err := f.choosePackages(ctx, &spec, edition)
	if err != nil {
		return spec, nil, err
	}
	f.byEdition[edition] = fit{spec, fault}
	return spec, fault, nil
}
