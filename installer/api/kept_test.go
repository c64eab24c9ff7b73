package api_test

import "tripod/installer"

// kept is what is kept for a host, as it is known.
func (r *rig) kept(id string) (installer.Credentials, error) {
	host, err := r.store.KnownHost(r.t.Context(), project, id)
	if err != nil {
		return installer.Credentials{}, err
	}
	return r.store.HostCredentials(r.t.Context(), project, host)
}
