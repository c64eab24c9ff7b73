package api

import (
	"context"
	"fmt"
	"slices"

	"tripod/installer"
)

// choosePackages puts into the spec what can serve it: of the catalogue, else
// the daemon's own packages, of which nobody knows the edition and some do not
// tell their version. kept is the edition that the host has; empty: not known. The
// fault is for a version or an edition that nothing fits; where neither was asked
// for, a host that has the agent already may need no package, and only probe knows.
func (s service) choosePackages(ctx context.Context, spec *installer.Spec, kept installer.Edition) (*itemError, error) {
	if spec.Script != nil {
		return nil, nil // it brings what it installs
	}
	if s.Packages != nil {
		catalogue, err := s.Packages.Packages(ctx, spec.Target)
		if err != nil {
			return nil, err
		}
		fitting := installer.ChoosePackages(catalogue, *spec, kept)
		if len(fitting) > 0 {
			spec.Packages = fitting
			return nil, nil
		}
	}
	spec.Packages = slices.DeleteFunc(slices.Clone(s.Spec.Packages), func(p installer.BlobRef) bool {
		return spec.Version != "" && p.Version != "" && p.Version != spec.Version
	})
	if len(spec.Packages) > 0 || spec.Online != nil || spec.Version == "" && spec.VersionType == "" && kept == "" {
		return nil, nil
	}
	return itemFault(ItemPackageMissing, noPackage(*spec, kept)), nil
}

// noPackage says what is missing, in the 128 characters that an item has for it:
// a version has up to 64.
func noPackage(spec installer.Spec, kept installer.Edition) string {
	edition, version := spec.VersionType, spec.Version
	switch {
	case version == "" && edition == "":
		return fmt.Sprintf("%s: the instance has %s, and there is none; another is taken if version_type says so", installer.KindPackageMissing, kept)
	case version == "":
		return fmt.Sprintf("%s: there is no %s package", installer.KindPackageMissing, edition)
	case edition == "":
		return fmt.Sprintf("%s: no package of version %s, of any version_type", installer.KindPackageMissing, version)
	}
	return fmt.Sprintf("%s: no %s package of version %s", installer.KindPackageMissing, edition, version)
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
