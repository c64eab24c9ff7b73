package control_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/control"
)

// TestUploadsArePerProject: another project can neither use a script by its hash,
// nor find out that it is here, nor spoil it while it is sent (C4).
func TestUploadsArePerProject(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	other := r.connect(r.addToken("p-two"))
	script := []byte("#!/bin/sh\necho what only p-one knows\n")
	sum := sha256.Sum256(script)
	ref := installer.BlobRef{SHA256: hex.EncodeToString(sum[:]), Size: int64(len(script)), Name: "own.sh"}

	// p-two was there first, with something else under that hash.
	garbage := bytes.NewReader(bytes.Repeat([]byte("x"), len(script)))
	_, err := other.PutBlob(t.Context(), garbage, ref)
	require.ErrorContains(t, err, "not those of this hash")
	_, _, err = r.store.AddToBlob(t.Context(), "p-two", ref, 0, []byte("half of something else"))
	require.NoError(t, err)
	_, err = r.client.PutBlob(t.Context(), bytes.NewReader(script), ref)
	require.NoError(t, err)

	s := batch(1)
	s.Items[0].Invocation.Spec.Script = &ref
	require.NoError(t, r.client.Submit(t.Context(), s))

	theirs := batch(1)
	theirs.ProjectID = "p-two"
	theirs.Items[0].Invocation.Spec.Script = &ref
	theirs.Items[0].Invocation.ProjectID = "p-two"
	err = other.Submit(t.Context(), theirs)
	require.ErrorContains(t, err, "the file "+ref.SHA256+" is not here: send it first")

	never := ref
	never.SHA256 = strings.Repeat("a", 64)
	theirs.Items[0].Invocation.Spec.Script = &never
	unknown := other.Submit(t.Context(), theirs)
	require.Error(t, unknown)
	assert.Equal(t, strings.ReplaceAll(err.Error(), ref.SHA256, ""), strings.ReplaceAll(unknown.Error(), never.SHA256, ""),
		"one that another has is like one that nobody has")
	var faults installer.Faults
	require.ErrorAs(t, err, &faults)
}

// A RETRY uses the files of what it retries, whoever brought these: the daemon's own
// script, or one that an older tripod took.
func TestRetryUsesTheFilesOfItsInvocation(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	daemons, err := r.store.PutBlob(t.Context(), strings.NewReader("#!/bin/sh\n"), "daemons.sh")
	require.NoError(t, err)
	first := batch(1)
	first.Items[0].Invocation.Spec.Script = &daemons
	require.Error(t, r.client.Submit(t.Context(), first))
	require.NoError(t, r.store.Submit(t.Context(), first.Batch))
	r.work(first.ID, 1, nil)

	old, err := r.client.Invocation(t.Context(), project, first.Items[0].Invocation.ID)
	require.NoError(t, err)
	again := batch(1)
	id := again.Items[0].Invocation.ID
	again.Items[0].Invocation = installer.RetryOf(&old)
	again.Items[0].Invocation.ID = id
	again.Items[0].Credentials = installer.Credentials{}
	again.Inherit = map[string]string{id: old.ID}
	require.NoError(t, r.client.Submit(t.Context(), again))
}

// TestInheritedLoginIsForTheSameHostKey: nobody gets a kept login sent to a server
// with a key of his own, by naming that key, leaving it out, or asking for less care.
func TestInheritedLoginIsForTheSameHostKey(t *testing.T) {
	t.Parallel()
	pin := "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGh3bZ1yW7j1zjPUXK1Qw3zq3F1e3bq2cYp3m3o5kq1k"
	for name, row := range map[string]struct {
		change func(*installer.Invocation)
		fault  string
	}{
		"the same": {func(*installer.Invocation) {}, ""},
		"another pin": {func(i *installer.Invocation) {
			i.Host.HostKey = "SHA256:uNiVztksCsDhcc0u9e8BrrMyZGqF7AfgQTT7wQHLFNI"
		}, "another host's"},
		"no pin":            {func(i *installer.Invocation) { i.Host.HostKey = "" }, "another host's"},
		"another hop's pin": {func(i *installer.Invocation) { i.Host.Via[0].HostKey = pin }, "another host's"},
		"another user":      {func(i *installer.Invocation) { i.Host.User = "eve" }, "another host's"},
		"less care":         {func(i *installer.Invocation) { i.Spec.HostKeys = installer.AcceptNew }, "host keys"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			first := batch(1)
			first.Items[0].Invocation.Host.HostKey = pin
			first.Items[0].Invocation.Spec.HostKeys = installer.Strict
			require.NoError(t, r.client.Submit(t.Context(), first))
			r.work(first.ID, 1, nil)
			old, err := r.client.Invocation(t.Context(), project, first.Items[0].Invocation.ID)
			require.NoError(t, err)

			retry := func(c *control.Client, project string) error {
				again := batch(1)
				again.ProjectID = project
				id := again.Items[0].Invocation.ID
				again.Items[0].Invocation = installer.RetryOf(&old)
				again.Items[0].Invocation.ID, again.Items[0].Invocation.ProjectID = id, project
				again.Items[0].Credentials = installer.Credentials{}
				again.Inherit = map[string]string{id: old.ID}
				row.change(&again.Items[0].Invocation)
				return c.Submit(t.Context(), again)
			}
			require.Error(t, retry(r.connect(r.addToken("p-two")), "p-two"), "another project")
			err = retry(r.client, project)
			if row.fault == "" {
				require.NoError(t, err)
				return
			}
			var faults installer.Faults
			require.ErrorAs(t, err, &faults)
			assert.ErrorContains(t, err, row.fault)
		})
	}
}
