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
	ways, err := s.Ways(ctx, project, installer.Through{Named: []installer.NamedInstaller{{ID: id}}})
	if err != nil {
		return installer.Credentials{}, err
	}
	if ways[0].Fail != nil {
		return installer.Credentials{}, ways[0].Fail
	}
	return installer.Credentials{Login: ways[0].Logins[len(ways[0].Logins)-1]}, nil
}

func isMissing(err error) bool {
	f, ok := errors.AsType[*installer.Failure](err)
	return ok && f.Kind == installer.KindCredentialMissing
}
