package api

import (
	"context"
	"slices"

	"tripod/installer"
)

// choosePackages puts into the spec what can serve it: of the catalogue, else
// the daemon's own packages, of which nobody knows the edition and some do not
// tell their version. The fault is for a version or an edition that nothing
// fits; where neither was asked for, a host that has the agent already may need
// no package, and only probe knows.
func (s service) choosePackages(ctx context.Context, spec *installer.Spec) (*itemError, error) {
	if spec.Script != nil {
		return nil, nil // it brings what it installs
	}
	if s.Packages != nil {
		catalogue, err := s.Packages.Packages(ctx, spec.Target)
		if err != nil {
			return nil, err
		}
		fitting := installer.ChoosePackages(catalogue, spec.Target, installer.Edition(spec.VersionType), spec.Version)
		if len(fitting) > 0 {
			spec.Packages = fitting
			return nil, nil
		}
	}
	spec.Packages = slices.DeleteFunc(slices.Clone(s.Spec.Packages), func(p installer.BlobRef) bool {
		return spec.Version != "" && p.Version != "" && p.Version != spec.Version
	})
	if len(spec.Packages) > 0 || spec.Online != nil || spec.Version == "" && spec.VersionType == "" {
		return nil, nil
	}
	return itemFault(ItemPackageMissing, "package-missing: no package fits the wanted version and version_type"), nil
}
