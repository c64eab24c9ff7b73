package plan

import (
	"fmt"
	"slices"
	"strings"

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
	return spec.Target == installer.TargetTelescope && spec.Script == nil && spec.Online == nil && len(spec.Packages) == 0
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
		items[i].Edition = editions[inv.Host.ID]
		f, err := q.fitting(spec, items[i].Edition)
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
// of which some packages do not tell their version. Where neither a version nor an
// edition was asked for, a host that has the agent already may need no package, and
// only probe knows: that is left to it, but not by who waits for the whole.
func (q *planning) choose(spec installer.Spec, kept installer.Edition) (fit, error) {
	if spec.Online == nil {
		spec.Online = q.Fallback.Online
	}
	var catalogue []installer.Package
	if q.Packages != nil {
		var err error
		if catalogue, err = q.Packages.Packages(q.ctx, spec.Target); err != nil {
			return fit{}, err
		}
	}
	if spec.Packages = installer.ChoosePackages(catalogue, spec, kept); len(spec.Packages) > 0 {
		return fit{spec: spec}, nil
	}
	spec.Packages = slices.DeleteFunc(slices.Clone(q.Fallback.Packages), func(p installer.BlobRef) bool {
		return spec.Version != "" && p.Version != "" && p.Version != spec.Version
	})
	any := spec.Version == "" && spec.VersionType == "" && kept == ""
	if len(spec.Packages) > 0 || spec.Online != nil || any && !q.Whole {
		return fit{spec: spec}, nil
	}
	return fit{spec, refuse(PackageMissing, q.noPackage(spec, kept, catalogue))}, nil
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

// noPackage says what is missing, in the 128 characters that the API has for it (a
// version has up to 64); to who waits for the whole, what there is too.
func (q *planning) noPackage(spec installer.Spec, kept installer.Edition, catalogue []installer.Package) string {
	if spec.Version == "" && spec.VersionType == "" && kept != "" {
		return fmt.Sprintf("%s: it has the %s edition, and there is no package of that; another is taken if edition or version say so", installer.KindPackageMissing, q.word(kept))
	}
	if q.Whole && len(catalogue) == 0 {
		return fmt.Sprintf("nothing to install (%s): the catalogue is empty; give the agent's package or a --script of your own, or fill it: tripod packages add FILE", installer.KindPackageMissing)
	}
	what := " package"
	if spec.VersionType != "" {
		what = " " + q.word(installer.Edition(spec.VersionType)) + what
	}
	if spec.Version != "" {
		what += " of version " + spec.Version
	}
	if q.Whole {
		return fmt.Sprintf("%s: the catalogue has no%s; it has %s", installer.KindPackageMissing, what, packageWords(catalogue))
	}
	return fmt.Sprintf("%s: there is no%s", installer.KindPackageMissing, what)
}

// word is the edition as the API says it, or as a person does.
func (q *planning) word(e installer.Edition) string {
	if q.Whole {
		return e.Word()
	}
	return string(e)
}

// packageWords lists a catalogue in a line.
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
