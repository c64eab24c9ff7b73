package inventory

import (
	"cmp"
	"slices"
	"time"

	"tripod/installer"
	"tripod/store/tasks"
)

// edition is that of an installed version; empty: not known.
type edition struct {
	Version string            `json:"version"`
	Edition installer.Edition `json:"edition"`
}

// noteEdition follows the edition of what is on a host: that of the package that
// was installed, after a ROLLBACK the one before, and not known where another
// version has appeared. was is what there was until now.
func (k *knownHost) noteEdition(r *tasks.Record, tr installer.Transition, was edition) {
	before := k.Before
	switch {
	case k.Version != "" && k.cameOf(r, tr, was):
		if k.Edition = cmp.Or(tr.Outcome.Edition, editionOf(r.Spec.Packages, k.Version)); was.Version != k.Version {
			k.Before = was
		}
	case r.Task() == installer.Rollback && k.Version != "" && k.Version == before.Version:
		k.Edition, k.Before = before.Edition, edition{}
	case k.Version != was.Version:
		k.Edition, k.Before = "", edition{}
	}
}

// cameOf: the version that is there was installed by r, which has ended by tr. One
// that failed may have brought it all the same, or an attempt before this one.
func (k *knownHost) cameOf(r *tasks.Record, tr installer.Transition, was edition) bool {
	switch r.Task() {
	case installer.Install, installer.Update, installer.RemoteInstall:
	default:
		return false
	}
	switch {
	case r.Spec.CheckOnly:
		return false
	case tr.State == installer.Succeeded:
		return tr.Outcome.Changed || !tr.Outcome.Skipped
	}
	return tr.Outcome.Changed && k.Version != was.Version &&
		slices.ContainsFunc(r.Spec.Packages, func(p installer.BlobRef) bool { return p.Version == k.Version })
}

// forgetAgent is for an id that is another machine now.
func (k *knownHost) forgetAgent() {
	k.Agent, k.Version, k.Verified, k.Edition, k.Before = "", "", time.Time{}, "", edition{}
}

// editionOf tells the edition of an agent that was installed from the packages; empty if
// they do not tell, or do not agree.
func editionOf(packages []installer.BlobRef, version string) installer.Edition {
	others := func(p installer.BlobRef) bool { return p.Version != version }
	if of := slices.DeleteFunc(slices.Clone(packages), others); len(of) > 0 {
		packages = of
	}
	if len(packages) == 0 || slices.ContainsFunc(packages, func(p installer.BlobRef) bool { return p.Edition != packages[0].Edition }) {
		return ""
	}
	return packages[0].Edition
}
