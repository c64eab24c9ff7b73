package store

import (
	"context"
	"errors"

	"tripod/installer"
)

// keptHostCredentials is what is kept for the host, as it is known.
func keptHostCredentials(ctx context.Context, s *Store, project, id string) (installer.Credentials, error) {
	h, err := s.KnownHost(ctx, project, id)
	if err != nil {
		return installer.Credentials{}, err
	}
	return s.HostCredentials(ctx, project, h)
}

// keptInstallerCredentials is what is kept for the way through the host.
func keptInstallerCredentials(ctx context.Context, s *Store, project, id string) (installer.Credentials, error) {
	routes, err := s.Routes(ctx, project, installer.RouteChoice{Named: []installer.NamedJumpHost{{ID: id}}})
	if err != nil {
		return installer.Credentials{}, err
	}
	if routes[0].Fail != nil {
		return installer.Credentials{}, routes[0].Fail
	}
	return installer.Credentials{Login: routes[0].Logins[len(routes[0].Logins)-1]}, nil
}

func isMissing(err error) bool {
	f, ok := errors.AsType[*installer.Failure](err)
	return ok && f.Kind == installer.KindCredentialMissing
}
