package recipe

import (
	"regexp"

	"tripod/installer"
)

// heldSince matches what the lock of a target holds: its owner, and since when.
var heldSince = regexp.MustCompile(`^\S+( since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC)$`)

// busy is the failure of a run that has found another one on the host. Its owner
// is named in the log only: it may be another project's.
func (w *work) busy(holder string) error {
	w.Logger.Info("another run holds the lock", "invocation", w.inv.ID, "host", w.inv.Host.Label(), "holder", w.shown(holder, 100))
	since := ""
	if parts := heldSince.FindStringSubmatch(holder); parts != nil {
		since = parts[1]
	}
	return installer.Fail(installer.KindHostBusy, "another run works on %s here%s", w.target(), since)
}
