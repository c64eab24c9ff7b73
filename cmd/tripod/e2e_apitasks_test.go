package main

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/api"
	"tripod/installer/apitest"
	"tripod/installer/sshtest/container"
	"tripod/testdata/agent"
)

// TestAPITasksOnContainers: all six task types through the agent-task API, on a real
// sshd, by root, the host itself asked after each one.
func TestAPITasksOnContainers(t *testing.T) {
	r := newRig(t, usual)
	cs := container.StartAll(t, []container.Kind{container.PasswordKind})
	token := r.token()
	for _, version := range []string{"1.0.0", "2.0.0"} {
		r.must("packages", "add", agent.Build(t, agent.Options{Version: version, Name: version + ".tar.gz"}))
	}
	d := r.serve(token)
	do := func(want installer.State, version string, req apitest.CreateRequest) []api.Item {
		t.Helper()
		items := d.ended(d.create(req)...)
		for i, item := range items {
			assert.Equal(t, want, item.InvocationStatus, "%s: %s", req.InvocationType, item.ResultMsg)
			assert.Equal(t, req.InvocationType, string(item.InvocationType))
			requireAgent(t, cs[i], version)
		}
		return items
	}
	ids := func(items []api.Item) (instances, invocations []string) {
		for _, item := range items {
			instances, invocations = append(instances, item.InstanceID), append(invocations, item.InvocationID)
		}
		return instances, invocations
	}

	req := remoteInstall(remoteHosts(cs)...)
	req.Version = "1.0.0"
	first := do(installer.Succeeded, "1.0.0", req)
	instances, installed := ids(first)
	setUp := d.ended(d.create(apitest.CreateRequest{InvocationType: string(installer.SetRemoteInstaller), InstanceIDs: instances[:1]})...)
	assert.Equal(t, installer.Succeeded, setUp[0].InvocationStatus, setUp[0].ResultMsg)

	// The newest of the package store; it fails, is retried, and goes back.
	inAll(t, cs, "mv /bin/gzip /root/gzip")
	_, failed := ids(do(installer.Failed, "1.0.0", apitest.CreateRequest{InvocationType: string(installer.Update), InstanceIDs: instances}))
	inAll(t, cs, "mv /root/gzip /bin/gzip")
	_, retried := ids(do(installer.Succeeded, "2.0.0", apitest.CreateRequest{InvocationType: string(installer.Retry), InvocationIDs: failed}))
	do(installer.Succeeded, "1.0.0", apitest.CreateRequest{InvocationType: string(installer.Rollback), InvocationIDs: retried})
	do(installer.Succeeded, "", apitest.CreateRequest{InvocationType: string(installer.Rollback), InvocationIDs: installed})
	for _, id := range append(retried, installed...) {
		assert.Equal(t, installer.Rollbacked, d.item(id).InvocationStatus)
	}
	do(installer.Succeeded, "2.0.0", apitest.CreateRequest{InvocationType: string(installer.Install), InstanceIDs: instances, Version: "2.0.0"})

	is := func(want string) {
		t.Helper()
		status, err := d.Status(t.Context(), apitest.StatusQuery{InstanceIDs: instances})
		require.NoError(t, err)
		require.Len(t, status.AgentStatus, 1)
		row := status.AgentStatus[0]
		require.Len(t, row.Extensions, 1)
		assert.Equal(t, want, fmt.Sprint(row.UniagentStatus, " ", row.Extensions[0].Status, " ", row.Extensions[0].Version))
	}
	is("running running 2.0.0")
	look := []string{"check", "--server", d.BaseURL, "--token-file", r.file("token", token.Reveal()), "--known", instances[0]}

	// It crashes; it is stopped on purpose, by what stops services.
	in(t, cs[0], "pkill -9 -x telescope")
	r.must(look...)
	is("unknown fault 2.0.0")
	in(t, cs[0], "service telescoped start && update-rc.d telescoped disable && service telescoped stop")
	r.must(look...)
	is("silent stopped 2.0.0")
	d.stop()
}
