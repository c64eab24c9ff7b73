package control_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/control"
)

func TestBatchArrivesAsItWasSent(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := batch(3)
	s.Items[1].Credentials.SudoPassword = installer.NewSecret("of sudo")
	s.Items[2].Credentials = installer.Credentials{}
	s.MaxFailures = 2
	require.NoError(t, r.client.Submit(t.Context(), s))
	require.NoError(t, r.client.Submit(t.Context(), s), "the same again is no second batch")

	head, err := r.store.Batch(t.Context(), project, s.ID)
	require.NoError(t, err)
	require.Equal(t, 3, head.Total)
	require.Equal(t, 2, head.MaxFailures)
	require.Equal(t, "token tester", head.By)
	for _, item := range s.Items {
		inv, err := r.store.Invocation(t.Context(), project, item.Invocation.ID)
		require.NoError(t, err)
		require.Equal(t, item.Invocation.Host, inv.Host)
		require.Equal(t, item.Invocation.Spec, inv.Spec)
		creds, err := r.store.Credentials(t.Context(), &inv)
		if item.Credentials.IsZero() {
			require.Error(t, err)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, item.Credentials.Password.Reveal(), creds.Password.Reveal())
		require.Equal(t, item.Credentials.SudoPassword.Reveal(), creds.SudoPassword.Reveal())
		require.Equal(t, "the key of the jump host", creds.Via[0].PrivateKey.Reveal())
		got, err := r.client.Invocation(t.Context(), project, inv.ID)
		require.NoError(t, err)
		require.Equal(t, inv, got, "and is read as it is stored")
	}
	open, found, err := r.client.OpenBatch(t.Context(), project, s.Fingerprint)
	require.NoError(t, err)
	require.True(t, found)
	require.Equal(t, s.ID, open.ID)
	_, found, err = r.client.OpenBatch(t.Context(), project, "none")
	require.NoError(t, err)
	require.False(t, found)
}

func TestTenThousandHosts(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("-short")
	}
	r := newRig(t)
	s := batch(10_000)
	require.NoError(t, r.client.Submit(t.Context(), s))
	page, err := r.client.Invocations(t.Context(), installer.Filter{ProjectID: project, BatchID: s.ID})
	require.NoError(t, err)
	require.EqualValues(t, 10_000, page.Count)
	require.Len(t, page.Invocations, 10_000)
	asked, err := r.client.CancelOpen(t.Context(), project, s.ID, "")
	require.NoError(t, err)
	require.Len(t, asked, 10_000)
	require.Equal(t, s.Items[0].Invocation.ID, asked[0], "in the order of the batch")
}

// TestWhatAClientMustNotSend: whatever is sent is checked as if it came from
// anybody; nothing is stored, all faults are told.
func TestWhatAClientMustNotSend(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for want, change := range map[string]func(*control.Submission){
		"batch_id":         func(s *control.Submission) { s.ID = "../x" },
		"source":           func(s *control.Submission) { s.Source = "a\x1b[31m" },
		"max_failures":     func(s *control.Submission) { s.MaxFailures = -1 },
		"items: must be":   func(s *control.Submission) { s.Items = nil },
		"specs[0].target":  func(s *control.Submission) { s.Items[0].Invocation.Spec.Target = "a/b" },
		"specs[0].version": func(s *control.Submission) { s.Items[0].Invocation.Spec.Version = "1;rm" },
		"specs[0].run_timeout": func(s *control.Submission) {
			s.Items[0].Invocation.Spec.RunTimeout = 1 << 60
		},
		"insecure is weaker": func(s *control.Submission) { s.Items[0].Invocation.Spec.HostKeys = installer.Insecure },
		"must be accept-new": func(s *control.Submission) { s.Items[0].Invocation.Spec.HostKeys = "none" },
		"is not here": func(s *control.Submission) {
			s.Items[0].Invocation.Spec.Script = &installer.BlobRef{SHA256: strings.Repeat("a", 64), Size: 1, Name: "x.sh"}
		},
		"without folders": func(s *control.Submission) {
			s.Items[0].Invocation.Spec.Script = &installer.BlobRef{SHA256: strings.Repeat("a", 64), Size: 1, Name: "../x.sh"}
		},
		"specs[0].sha256": func(s *control.Submission) {
			s.Items[0].Invocation.Spec.Packages = []installer.BlobRef{{SHA256: "../../x", Size: 1, Name: "x"}}
		},
		"items[0].invocation_id": func(s *control.Submission) { s.Items[0].Invocation.ID = "a b" },
		"items[0].type":          func(s *control.Submission) { s.Items[0].Invocation.Type = installer.RemoteInstall },
		"items[0].run_id":        func(s *control.Submission) { s.Items[0].Invocation.RunID = "another" },
		"no other type":          func(s *control.Submission) { s.Items[0].Invocation.Of = "unknown" },
		"no such invocation": func(s *control.Submission) {
			s.Items[0].Invocation.Of, s.Items[0].Invocation.Type = "unknown", installer.Retry
		},
		"items[0].host.instance_id": func(s *control.Submission) {
			s.Items[0].Invocation.Host.ID = "a\x00b"
		},
		"items[0].host.address":       func(s *control.Submission) { s.Items[0].Invocation.Host.Address = "a b" },
		"items[0].host.via[0]":        func(s *control.Submission) { s.Items[0].Invocation.Host.Via[0].User = "-oX" },
		"items[0].host.sudo":          func(s *control.Submission) { s.Items[0].Invocation.Host.Sudo = "always" },
		"items[0].host.instance_type": func(s *control.Submission) { s.Items[0].Invocation.Host.Type = "VM" },
		"items[0].host.intranet_ips":  func(s *control.Submission) { s.Items[0].Invocation.Host.IntranetIPs = []string{"x"} },
		"items[0].via: must have one login for each hop": func(s *control.Submission) {
			s.Items[0].Credentials.Via = make([]installer.Login, 2)
		},
		"127.0.0.1: policy-denied": func(s *control.Submission) {
			s.Items[0].Invocation.Host.Address, s.Items[0].Invocation.Host.Name = "127.0.0.1", ""
		},
		"policy-denied": func(s *control.Submission) { // the way is dialled first
			s.Items[0].Invocation.Host.Via[0].Address = "127.0.0.9"
		},
	} {
		s := batch(1)
		s.Items[0].Credentials.Password = installer.NewSecret("canary-password")
		change(&s)
		err := r.client.Submit(t.Context(), s)
		var faults installer.Faults
		require.ErrorAs(t, err, &faults, want)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "canary")
	}
	heads, err := r.store.Batches(t.Context(), project, 10)
	require.NoError(t, err)
	require.Empty(t, heads)
}

func TestInheritedCredentials(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first := batch(2)
	require.NoError(t, r.client.Submit(t.Context(), first))
	r.work(first.ID, 2, func(installer.Event) {})

	// A RETRY takes what is kept, and never sees it.
	retry := func(of installer.Item, host installer.Host) (control.Submission, string) {
		s := batch(1)
		inv := &s.Items[0].Invocation
		inv.Type, inv.Of, inv.RunID, inv.Host = installer.Retry, of.Invocation.ID, of.Invocation.RunID, host
		inv.Spec.Task = installer.Install
		s.Items[0].Credentials = installer.Credentials{}
		s.Inherit = map[string]string{inv.ID: of.Invocation.ID}
		return s, inv.ID
	}
	s, id := retry(first.Items[0], first.Items[0].Invocation.Host)
	require.NoError(t, r.client.Submit(t.Context(), s))
	inv, err := r.store.Invocation(t.Context(), project, id)
	require.NoError(t, err)
	creds, err := r.store.Credentials(t.Context(), &inv)
	require.NoError(t, err)
	require.Equal(t, "password 0", creds.Password.Reveal())

	// They are for their own host: an address in its place would be sent them.
	elsewhere := first.Items[1].Invocation.Host
	elsewhere.Address = "198.51.100.66"
	s, _ = retry(first.Items[1], elsewhere)
	require.ErrorContains(t, r.client.Submit(t.Context(), s), "another host")

	// So would an installer on the way, which is sent what is kept for those.
	around := first.Items[1].Invocation.Host
	around.Via = append(slices.Clone(around.Via), installer.Endpoint{Address: "198.51.100.66", Port: 22, User: "root"})
	s, _ = retry(first.Items[1], around)
	require.ErrorContains(t, r.client.Submit(t.Context(), s), "another host")

	// Another project's are as unknown as none.
	other := r.connect(r.addToken("p-two"))
	s, _ = retry(first.Items[1], first.Items[1].Invocation.Host)
	s.ProjectID = "p-two"
	require.ErrorContains(t, other.Submit(t.Context(), s), "no such invocation in this project")
}

func TestProjectsSeeTheirOwn(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := batch(1)
	require.NoError(t, r.client.Submit(t.Context(), s))
	id := s.Items[0].Invocation.ID
	other := r.connect(r.addToken("p-two"))
	_, err := other.Batch(t.Context(), "p-two", s.ID)
	require.ErrorIs(t, err, installer.ErrNotFound)
	_, err = other.Invocation(t.Context(), "p-two", id)
	require.ErrorIs(t, err, installer.ErrNotFound)
	_, err = other.Log(t.Context(), "p-two", id)
	require.ErrorIs(t, err, installer.ErrNotFound)
	_, err = other.CancelOpen(t.Context(), "p-two", s.ID, "")
	require.ErrorIs(t, err, installer.ErrNotFound)
	_, err = other.Follow(t.Context(), "p-two", s.ID, "", func(error) {})
	require.ErrorIs(t, err, installer.ErrNotFound)
	err = other.RefreshCredentials(t.Context(), "p-two", s.ID, map[string]installer.Credentials{id: s.Items[0].Credentials})
	require.ErrorIs(t, err, installer.ErrNotFound)
	page, err := other.Invocations(t.Context(), installer.Filter{ProjectID: "p-two", BatchID: s.ID})
	require.NoError(t, err)
	require.Empty(t, page.Invocations)
	_, err = other.Batch(t.Context(), project, s.ID)
	require.ErrorContains(t, err, `this login is for project "p-two"`)
}

func TestFilesAreSentOnceAndGoOn(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	data := bytes.Repeat([]byte("tripod"), 500_000) // three parts
	sum := sha256.Sum256(data)
	ref := installer.BlobRef{SHA256: hex.EncodeToString(sum[:]), Size: int64(len(data)), Name: "big.tar.gz"}

	// The connection is lost for good in the middle.
	cut := &cutReader{Reader: bytes.NewReader(data), after: 1<<20 + 10}
	_, err := r.client.PutBlob(t.Context(), cut, ref)
	require.ErrorIs(t, err, errCut)
	have, complete, err := r.store.BlobSize(t.Context(), project, ref.SHA256)
	require.NoError(t, err)
	require.EqualValues(t, 1<<20, have)
	require.False(t, complete)

	before := r.served.Load()
	_, err = r.client.PutBlob(t.Context(), bytes.NewReader(data), ref)
	require.NoError(t, err)
	require.EqualValues(t, 3, r.served.Load()-before, "a look, and the two parts that were missing")
	before = r.served.Load()
	_, err = r.client.PutBlob(t.Context(), bytes.NewReader(data), ref)
	require.NoError(t, err)
	require.EqualValues(t, 1, r.served.Load()-before, "nothing is sent twice")

	wrong := ref
	wrong.SHA256 = strings.Repeat("b", 64)
	_, err = r.client.PutBlob(t.Context(), bytes.NewReader(data), wrong)
	require.ErrorContains(t, err, "not those of this hash")
}

var errCut = errors.New("cut")

type cutReader struct {
	*bytes.Reader
	after int
}

func (c *cutReader) Read(p []byte) (int, error) {
	if c.after <= 0 {
		return 0, errCut
	}
	n, err := c.Reader.Read(p[:min(len(p), c.after)])
	c.after -= n
	return n, err
}
