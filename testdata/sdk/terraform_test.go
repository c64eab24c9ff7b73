package sdk

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer/sshtest"
)

// TestTerraform is the life of the Terraform provider's resource, with the
// pauses shortened, and its data sources with the checks of their own
// acceptance tests.
func TestTerraform(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	key := r.key("terraform")
	r.packages()
	// The provider installs on instances that are there: the user has imported them.
	const instance, broken = "terraformed", "broken"
	file := "instance_id,address,port,user,password\n"
	hosts := map[string]*sshtest.Server{instance: newHost(t), broken: newHost(t)}
	for id, host := range hosts {
		at := host.Endpoint("root")
		file += fmt.Sprintf("%s,%s,%d,%s,%s\n", id, at.Address, at.Port, at.User, password)
	}
	r.must("hosts", "import", "--project", project, r.file("hosts.csv", file))
	hosts[broken].Inject(sshtest.Fault{Stage: sshtest.Auth, Action: sshtest.Refuse, Match: "password"})
	d := r.serve()

	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	p := &provider{endpoint: d.url, project: project, access: key.access, secret: key.secret, poll: 250 * time.Millisecond, timeout: patience}
	id, err := p.create(ctx, resource{invocationType: "INSTALL", instanceID: instance, versionType: "BASIC_VERSION"})
	require.NoError(t, err)
	assert.Greater(t, p.polled, 1, "PENDING and RUNNING mean wait")
	task, err := p.read(ctx, id)
	require.NoError(t, err)
	notEmpty(t, task)
	assert.Equal(t, "INSTALL", task["invocation_type"])
	assert.Equal(t, "2.0.0", task["target_version"], "the newest of the edition")

	update, err := p.create(ctx, resource{invocationType: "UPDATE", instanceID: instance, versionType: "ADVANCE_VERSION"})
	require.NoError(t, err)
	undone, err := p.create(ctx, resource{invocationType: "ROLLBACK", invocationID: update})
	require.NoError(t, err)
	task, err = p.read(ctx, undone)
	require.NoError(t, err)
	assert.Equal(t, "2.0.0", task["target_version"])

	// What did not succeed is an error, at once or at the end.
	_, err = p.create(ctx, resource{invocationType: "INSTALL", instanceID: "no-such-instance"})
	require.ErrorContains(t, err, "invocationmgr.")
	_, err = p.create(ctx, resource{invocationType: "INSTALL", instanceID: broken, version: "1.2.3"})
	require.ErrorContains(t, err, "abnormal status: FAILED")
	_, err = p.create(ctx, resource{invocationType: "REINSTALL", instanceID: instance})
	require.ErrorContains(t, err, "400")
	_, err = p.read(ctx, "01ARZ3NDEKTSV4RRFFQ69G5FAV")
	require.ErrorContains(t, err, "not found")
	wrong := *p
	wrong.secret += "x"
	_, err = wrong.read(ctx, id)
	require.ErrorContains(t, err, "401")

	// The data sources.
	for _, filter := range []map[string]string{
		{}, {"instance_id": instance}, {"invocation_id": id}, {"invocation_type": "INSTALL"},
	} {
		tasks, err := p.tasks(ctx, filter)
		require.NoError(t, err)
		require.NotEmpty(t, tasks, "%v", filter)
		for _, one := range tasks {
			notEmpty(t, one.(map[string]any))
			for name, want := range filter {
				assert.Equal(t, want, one.(map[string]any)[name])
			}
		}
	}
	rows, err := p.statuses(ctx, map[string]any{"instance_ids": []string{instance, broken}})
	require.NoError(t, err)
	require.Len(t, rows, 2)
	rows, err = p.statuses(ctx, map[string]any{"instance_ids": []string{instance, broken}, "extension_status": "running"})
	require.NoError(t, err)
	require.Len(t, rows, 1)
	assert.Equal(t, instance, rows[0].(map[string]any)["instance_id"])
}

// notEmpty are the attributes that the data source's acceptance test wants set.
func notEmpty(t *testing.T, task map[string]any) {
	t.Helper()
	for _, name := range []string{
		"invocation_id", "instance_id", "instance_name", "instance_type", "invocation_type", "invocation_status",
		"invocation_target", "target_version", "create_time", "update_time",
	} {
		assert.NotEmpty(t, task[name], name)
	}
}
