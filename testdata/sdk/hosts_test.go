package sdk

import (
	"strconv"
	"testing"

	"tripod/installer"
	"tripod/installer/sshtest"
)

// password is every host's.
const password = "Pr0ject-Canary-7Zq"

// newHost starts a host that root logs in to with password.
func newHost(t *testing.T) *sshtest.Server {
	t.Helper()
	return sshtest.Start(t, sshtest.Config{Users: []sshtest.User{{Name: "root", Password: password}}})
}

// remote is a host as an entry of remote_install_meta.
func remote(name string, host *sshtest.Server) remoteHost {
	return remoteAt(name, host.Endpoint("root"))
}

// remoteAt is remote for any host with the password.
func remoteAt(name string, at installer.Endpoint) remoteHost {
	return remoteHost{
		InstanceName: &name,
		RemoteIp:     &at.Address,
		UserName:     &at.User,
		Port:         ptr(strconv.Itoa(int(at.Port))),
		Password:     ptr(password),
		RemoteUsePem: ptr(false),
	}
}
