package store

import (
	"context"

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
	h, err := s.KnownHost(ctx, project, id)
	if err != nil {
		return installer.Credentials{}, err
	}
	return s.InstallerCredentials(ctx, project, h)
}
