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
	"tripod/installer/plan"
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
	err := other.PutBlob(t.Context(), garbage, ref)
	require.ErrorContains(t, err, "not those of this hash")
	_, _, err = r.store.AddToBlob(t.Context(), "p-two", ref, 0, []byte("half of something else"))
	require.NoError(t, err)
	err = r.client.PutBlob(t.Context(), bytes.NewReader(script), ref)
	require.NoError(t, err)

	r.sent(1, func(req *plan.Request) { req.Spec.Script = &ref })

	theirs := request(1)
	theirs.Project, theirs.Spec.Script = "p-two", &ref
	_, err = other.Submit(t.Context(), theirs)
	require.ErrorContains(t, err, "the file "+ref.SHA256+" is not here: send it first")

	never := ref
	never.SHA256 = strings.Repeat("a", 64)
	theirs.Spec.Script = &never
	_, unknown := other.Submit(t.Context(), theirs)
	require.Error(t, unknown)
	assert.Equal(t, strings.ReplaceAll(err.Error(), ref.SHA256, ""), strings.ReplaceAll(unknown.Error(), never.SHA256, ""),
		"one that another has is like one that nobody has")
	var faults installer.Faults
	require.ErrorAs(t, err, &faults)
}

// A RETRY uses the files of what it retries, whoever brought these: the daemon's own
// script, say; and nobody else's are let in for it.
func TestRetryUsesTheFilesOfItsInvocation(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	daemons, err := r.store.PutBlob(t.Context(), strings.NewReader("#!/bin/sh\n"), "daemons.sh")
	require.NoError(t, err)
	req := request(1)
	req.Spec.Script = &daemons
	_, err = r.client.Submit(t.Context(), req)
	require.Error(t, err)
	require.NoError(t, r.store.Submit(t.Context(), installer.Batch{
		BatchHead: installer.BatchHead{ID: "B1", ProjectID: project},
		Items: []installer.Item{{
			Invocation:  installer.Invocation{ID: "I1", Type: installer.Install, Host: req.Hosts[0].Host, Spec: req.Spec},
			Credentials: req.Hosts[0].Credentials,
		}},
	}))
	r.work("B1", 1, nil)
	again := r.stored(r.client.Submit(t.Context(), retry("I1")))
	require.Equal(t, daemons, *again.Invs[0].Spec.Script)
}

// TestARetryIsOfItsProject: what another project has is as unknown as nothing.
func TestARetryIsOfItsProject(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first := r.sent(1)
	r.work(first.ID, 1, nil)
	req := retry(first.Invs[0].ID)
	req.Project = "p-two"
	_, err := r.connect(r.addToken("p-two")).Submit(t.Context(), req)
	require.ErrorContains(t, err, "not found: no batch, invocation or host")
}
