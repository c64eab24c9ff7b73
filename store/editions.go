package store

import (
	"cmp"
	"time"

	"tripod/installer"
)

// edition is that of an installed version; empty: not known.
type edition struct {
	Version string            `json:"version"`
	Edition installer.Edition `json:"edition"`
}

// noteEdition follows the edition of what is on a host: that of the package that
// was installed, after a ROLLBACK the one before, and not known where another
// version has appeared. was is what there was until now.
func (k *knownHost) noteEdition(r *record, tr installer.Transition, was edition) {
	switch task := r.Task(); {
	case k.Version == "":
		k.Edition, k.Before = "", edition{}
	case r.Spec.CheckOnly || tr.Outcome.Skipped || tr.State != installer.Succeeded:
		if k.Version != was.Version {
			k.Edition, k.Before = "", edition{}
		}
	case task == installer.Install || task == installer.Update || task == installer.RemoteInstall:
		if k.Edition = cmp.Or(tr.Outcome.Edition, r.Spec.EditionOf(k.Version)); was.Version != k.Version {
			k.Before = was
		}
	case task == installer.Rollback:
		if k.Edition = ""; k.Before.Version == k.Version {
			k.Edition = k.Before.Edition
		}
		k.Before = edition{}
	}
}

// forgetAgent is for an id that is another machine now.
func (k *knownHost) forgetAgent() {
	k.Agent, k.Version, k.Verified, k.Edition, k.Before = "", "", time.Time{}, "", edition{}
}
