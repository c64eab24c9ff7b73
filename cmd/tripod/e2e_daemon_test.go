package main

import (
	"fmt"
	"regexp"
	"strings"
	"syscall"

	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/api"
	"tripod/installer/apitest"
	"tripod/installer/sshtest/container"
)

// daemon is `tripod serve` with a client that knows its token.
type daemon struct {
	*process
	*apitest.Client
}

// token makes one for the project that `tripod status` looks at.
func (r *rig) token() installer.Secret {
	r.t.Helper()
	return installer.NewSecret(strings.TrimSpace(r.must("tokens", "add", "e2e-"+fmt.Sprint(r.started))))
}

var listeningOn = regexp.MustCompile(`listening on (\S+)`)

// serve starts the daemon; it listens when serve returns.
func (r *rig) serve(token installer.Secret, args ...string) *daemon {
	r.t.Helper()
	p := r.start(append([]string{"serve", "--listen", "127.0.0.1:0", "--target-allow", "127.0.0.0/8"}, args...)...)
	d := &daemon{process: p, Client: &apitest.Client{Client: api.Client{Project: installer.DefaultProject, Token: token}}}
	eventually(r.t, "the daemon listens", func() bool {
		select {
		case <-p.done:
			r.t.Fatalf("the daemon ended:\n%s", p.err())
		default:
		}
		if found := listeningOn.FindStringSubmatch(p.err()); found != nil {
			d.BaseURL = found[1]
		}
		return d.BaseURL != ""
	})
	return d
}

// stop ends the daemon cleanly.
func (d *daemon) stop() {
	d.t.Helper()
	require.NoError(d.t, d.cmd.Process.Signal(syscall.SIGTERM))
	require.Zero(d.t, d.wait(), "%s", d.err())
}

// create submits and returns the ids of the invocations.
func (d *daemon) create(req apitest.CreateRequest) []string {
	d.t.Helper()
	created, err := d.Create(d.t.Context(), req)
	require.NoError(d.t, err)
	return idsOf(d.t, created)
}

// item is one invocation as the API shows it.
func (d *daemon) item(id string) api.Item {
	d.t.Helper()
	list, err := d.List(d.t.Context(), installer.Filter{InvocationID: id})
	require.NoError(d.t, err)
	require.Len(d.t, list.Invocations, 1, "invocation %s", id)
	return list.Invocations[0]
}

// ended waits until each of ids has ended, and returns the items.
func (d *daemon) ended(ids ...string) []api.Item {
	d.t.Helper()
	items := make([]api.Item, len(ids))
	for i, id := range ids {
		eventually(d.t, id+" ends", func() bool {
			items[i] = d.item(id)
			return items[i].InvocationStatus.Terminal()
		})
	}
	return items
}

// remoteHost is a container as a request names it.
func remoteHost(c *container.Host) installer.HostEntry {
	return installer.HostEntry{
		Host:        installer.Host{Name: string(c.Kind), Endpoint: c.Endpoint()},
		Credentials: installer.Credentials{Login: installer.Login{Password: installer.NewSecret(c.Password)}},
	}
}

func remoteHosts(cs []*container.Host) []installer.HostEntry {
	var hosts []installer.HostEntry
	for _, c := range cs {
		hosts = append(hosts, remoteHost(c))
	}
	return hosts
}

// remoteInstall is the request for hosts.
func remoteInstall(hosts ...installer.HostEntry) apitest.CreateRequest {
	return apitest.CreateRequest{InvocationType: string(installer.RemoteInstall), Hosts: hosts}
}
