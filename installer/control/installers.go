package control

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"tripod/installer"
	"tripod/installer/api"
)

// Installers takes back that hosts are installers. To make one is a task:
// SET_REMOTE_INSTALLER.
type Installers interface {
	// UnsetInstallers makes hosts installers no more, all or none. ErrNotFound for
	// one that is none.
	UnsetInstallers(ctx context.Context, project string, ids []string) error
}

func (s service) installerRoutes() []api.Route {
	return []api.Route{{Method: http.MethodPost, Pattern: root + "/installers/unset", Handle: s.unsetInstallers}}
}

func (s service) unsetInstallers(r *api.Request) (any, error) {
	var w wireIDs
	if err := decode(r.Body, &w); err != nil {
		return nil, err
	}
	return struct{}{}, refusal(s.Store.UnsetInstallers(r.Context(), r.Principal.Project, w.IDs))
}

// UnsetInstallers makes hosts installers no more.
func (c *Client) UnsetInstallers(ctx context.Context, project string, ids []string) error {
	return c.change(ctx, project, http.MethodPost, c.path("installers", "unset"), wireIDs{ids}, new(struct{}), "installer", fmt.Sprint(ids))
}

// toBeInstaller: only a known host can become an installer, as it is known, and
// only one that was really tried. An error is the store's.
func (c *checker) toBeInstaller(where string, inv *installer.Invocation) error {
	if inv.Type != installer.SetRemoteInstaller || !installer.IDForm.MatchString(inv.Host.ID) {
		return nil
	}
	if inv.Spec.CheckOnly || inv.Spec.Script != nil {
		c.faults.Add(where+".spec", "is not what SET_REMOTE_INSTALLER does")
	}
	known, err := c.Store.KnownHost(c.ctx, c.who.Project, inv.Host.ID)
	switch {
	case errors.Is(err, installer.ErrNotFound):
		c.faults.Add(where+".host", "is no known host of this project, and only one can become an installer")
	case err != nil:
		return err
	case known.Endpoint != inv.Host.Endpoint || !known.SameMachine(inv.Host):
		c.faults.Add(where+".host", "is known to be reached in another way")
	}
	return nil
}
