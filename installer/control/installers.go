package control

import (
	"context"
	"fmt"
	"net/http"

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
