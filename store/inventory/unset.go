package inventory

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"tripod/installer"
)

// UnsetInstallers makes hosts installers no more and erases the logins that they
// were kept with; all of them or none. What waits and was to go through them is
// reached by others, or fails. The error joins one for each that is no installer:
// ErrNotFound. What is kept for tasks on the hosts themselves stays.
func (s *Inventory) UnsetInstallers(ctx context.Context, project string, ids []string) error {
	return s.Update(ctx, func(t *Tx) error {
		var hosts []installer.Host
		var errs []error
		for _, id := range slices.Compact(slices.Sorted(slices.Values(ids))) {
			h, err := t.setUpHost(project, id)
			if err != nil {
				return err
			}
			if h == nil {
				errs = append(errs, fmt.Errorf("host %s is no installer: %w", id, installer.ErrNotFound))
				continue
			}
			hosts = append(hosts, h.Host)
		}
		if len(errs) > 0 || len(hosts) == 0 {
			return errors.Join(errs...)
		}
		for _, h := range hosts {
			t.dropInstaller(project, h.ID)
		}
		return s.auditManaged(ctx, t, project, installer.AuditInstallerUnset, hosts)
	})
}
