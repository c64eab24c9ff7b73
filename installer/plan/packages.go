package plan

import (
	"fmt"
	"slices"

	"tripod/installer"
)

// fit is a spec with its packages chosen, and what it lacks.
type fit struct {
	spec installer.Spec
	lack *Refusal
}

// chooses reports whether the spec needs a package that the request has not named.
func chooses(task installer.Type, spec installer.Spec) bool {
	switch {
	case task == installer.SetRemoteInstaller || task == installer.Rollback, spec.CheckOnly:
		return false
	}
	return spec.Script == nil && spec.Online == nil && len(spec.Packages) == 0
}

// fit is the request's spec for each of the hosts, and what it lacks: a host keeps
// the edition that it has where the request names none.
func (q *planning) fit(items []Item) error {
	spec, editions := q.Spec, map[string]installer.Edition{}
	choose := chooses(q.Task, spec)
	if choose && spec.VersionType == "" {
		var err error
		if editions, err = q.editions(items); err != nil {
			return err
		}
	}
	for i := range items {
		inv, refused := &items[i].Invocation, &items[i].Refused
		if inv.Spec = spec; !choose {
			continue
		}
		f, err := q.fitting(spec, editions[inv.Host.ID])
		if err != nil {
			return err
		}
		if inv.Spec = f.spec; *refused == nil {
			*refused = f.lack
		}
	}
	return nil
}

// fitting chooses packages for hosts of one edition; empty: not known.
func (q *planning) fitting(spec installer.Spec, kept installer.Edition) (fit, error) {
	if f, ok := q.fits[kept]; ok {
		return f, nil
	}
	f, err := q.choose(spec, kept)
	if err == nil {
		q.fits[kept] = f
	}
	return f, err
}

// choose takes from the catalogue what can serve the spec, else from the fallback,
// of which some packages do not tell their version. It lacks one only for a version
// or an edition that nothing fits; where neither was asked for, a host that has the
// agent already may need no package, and only probe knows.
func (q *planning) choose(spec installer.Spec, kept installer.Edition) (fit, error) {
	if spec.Online == nil {
		spec.Online = q.Fallback.Online
	}
	if q.Packages != nil {
		catalogue, err := q.Packages.Packages(q.ctx, spec.Target)
		if err != nil {
			return fit{}, err
		}
		if fitting := installer.ChoosePackages(catalogue, spec, kept); len(fitting) > 0 {
			spec.Packages = fitting
			return fit{spec: spec}, nil
		}
	}
	spec.Packages = slices.DeleteFunc(slices.Clone(q.Fallback.Packages), func(p installer.BlobRef) bool {
		return spec.Version != "" && p.Version != "" && p.Version != spec.Version
	})
	if len(spec.Packages) > 0 || spec.Online != nil || spec.Version == "" && spec.VersionType == "" && kept == "" {
		return fit{spec: spec}, nil
	}
	return fit{spec, refuse(PackageMissing, noPackage(spec, kept))}, nil
}

// editions are those that the hosts are known to have, by their ids.
func (q *planning) editions(items []Item) (map[string]installer.Edition, error) {
	has := make(map[string]installer.Edition, len(items))
	if q.Inventory == nil || len(items) == 0 {
		return has, nil
	}
	ids := make([]string, len(items))
	for i := range items {
		ids[i] = items[i].Invocation.Host.ID
	}
	page, err := q.Inventory.Hosts(q.ctx, q.Project, installer.HostFilter{IDs: ids})
	for _, h := range page.Hosts {
		has[h.ID] = h.Edition
	}
	return has, err
}

// noPackage says what is missing, in the 128 characters that the API has for it:
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
