package store

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"

	"tripod/installer"
	"tripod/store/audit"
	"tripod/store/inventory"
)

// lines are the entries as a person would sum them up.
func lines(t *testing.T, s *Store) (all []string) {
	t.Helper()
	entries, err := s.Audit(t.Context(), installer.AuditFilter{})
	require.NoError(t, err)
	for i, e := range entries {
		require.EqualValues(t, i+1, e.Number)
		parts := []string{string(e.Action), e.By, e.Subject, string(e.Outcome), string(e.Kind)}
		for _, h := range e.Hosts {
			parts = append(parts, h.ID+"="+h.At)
		}
		all = append(all, strings.Join(strings.Fields(strings.Join(parts, " ")), " "))
	}
	return all
}

func inOrder(t *testing.T, s *Store, anchors ...installer.AuditAnchor) installer.AuditReport {
	t.Helper()
	report, err := s.VerifyAudit(t.Context(), anchors...)
	require.NoError(t, err)
	require.Empty(t, report.Faults)
	return report
}

// TestC14Audit: who, what, which hosts, when, outcome, for work and for what is
// managed; and it is all in order.
func TestC14Audit(t *testing.T) {
	t.Parallel()
	ctx := installer.WithActor(t.Context(), "user alice")
	s := newTest(t, Options{KeepOther: time.Hour})
	b := batch("B1", "h1", "h2")
	b.By = "token ci"
	require.NoError(t, s.Submit(ctx, b))
	inv := claim(t, s, t0, "")
	require.NoError(t, s.RefreshCredentials(ctx, "B1", map[string]installer.Credentials{"B1-0001": {Login: installer.Login{Password: installer.NewSecret("pw-new")}}}))
	require.NoError(t, s.Finish(ctx, inv.Ref(), installer.Transition{State: installer.Failed, EndAttempt: true, Kind: installer.KindAuthRejected, At: t0}))
	_, err := s.Cancel(ctx, project, "B1-0001")
	require.NoError(t, err)
	require.NoError(t, s.Submit(ctx, batch("B2", "h3")))
	again := claim(t, s, t0, "")
	require.NoError(t, s.Finish(ctx, again.Ref(), installer.Transition{State: installer.Pending, NotBefore: t0.Add(time.Hour), At: t0}))
	_, err = s.AddToken(ctx, project, "ops", installer.FullRights)
	require.NoError(t, err)
	pair, err := s.AddKey(ctx, project, "deploy", installer.ReadRights)
	require.NoError(t, err)
	require.NoError(t, s.RemoveToken(ctx, project, "ops"))
	require.NoError(t, s.RemoveKey(ctx, project, "deploy"))
	require.NoError(t, s.PinKey(ctx, project, "10.0.0.1:22", "ssh-ed25519 AAAA"))
	_, err = s.ForgetKeys(ctx, project, "10.0.0.1:22")
	require.NoError(t, err)
	require.NoError(t, s.RegisterHosts(ctx, project, []installer.HostEntry{{Host: installer.Host{
		ID: "h9", Name: "h9", Type: installer.ECS, Endpoint: installer.Endpoint{Address: "10.0.0.9", Port: 22, User: "admin"},
	}}}))
	require.NoError(t, s.RemoveHosts(ctx, project, []string{"h9"}))
	// What fails is no change, and leaves no entry.
	require.Error(t, s.RemoveKey(ctx, project, "nobody"))
	require.Error(t, s.Submit(ctx, batch("B2", "h3")))

	at := "=root@10.0.0.1:22"
	assert.Equal(t, []string{
		"request token ci h1" + at + " h2" + at,
		"begin token ci h1" + at,
		"credentials user alice h2" + at,
		"end token ci FAILED auth-rejected h1" + at,
		"cancel user alice h2" + at,
		"end token ci CANCELED canceled h2" + at,
		"request user alice h3" + at,
		"begin user alice h3" + at,
		"token-add user alice ops",
		"key-add user alice deploy",
		"token-remove user alice ops",
		"key-remove user alice deploy",
		"hostkey-forget user alice 10.0.0.1:22",
		"host-add user alice h9=admin@10.0.0.9:22",
		"host-remove user alice h9=admin@10.0.0.9:22",
	}, lines(t, s))
	entries, err := s.Audit(ctx, installer.AuditFilter{After: 1, Limit: 1})
	require.NoError(t, err)
	begin := entries[0]
	assert.Equal(t, []any{uint64(2), t0, project, "B1", "B1-0000", installer.RemoteInstall},
		[]any{begin.Number, begin.At, begin.Project, begin.Batch, begin.Invocation, begin.Type})
	report := inOrder(t, s)
	assert.Equal(t, []uint64{1, 15, 15}, []uint64{report.First, report.Last, report.Anchor.Number})

	raw, err := os.ReadFile(s.path(dbName))
	require.NoError(t, err)
	for _, secret := range []string{"pw-h1", "pw-new", pair.SecretKey.Reveal()} {
		assert.False(t, bytes.Contains(raw, []byte(secret)), "a secret is in the database")
	}
	for f, n := range map[installer.AuditFilter]int{
		{Project: "another"}: 0, {Project: project}: 15, {Since: t0.Add(time.Second)}: 0, {Since: t0}: 15, {Limit: 4}: 4, {After: 14}: 1, {After: 15}: 0,
	} {
		entries, err := s.Audit(ctx, f)
		require.NoError(t, err)
		assert.Len(t, entries, n, "%+v", f)
	}
}

// TestC14BeginIsWrittenBeforeCredentialsAreUsed: when they can be opened, the
// entry is on disk, and a process that dies then leaves it behind.
func TestC14BeginIsWrittenBeforeCredentialsAreUsed(t *testing.T) {
	t.Parallel()
	s := newTest(t, Options{})
	submit(t, s, batch("B1", "h1"))
	inv := claim(t, s, t0, "")
	_, err := s.Credentials(t.Context(), inv)
	require.NoError(t, err)
	copied := filepath.Join(t.TempDir(), "copy.db")
	raw, err := os.ReadFile(s.path(dbName))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(copied, raw, 0o600))
	db, err := bbolt.Open(copied, 0o600, &bbolt.Options{ReadOnly: true})
	require.NoError(t, err)
	defer func() { _ = db.Close() }()
	require.NoError(t, db.View(func(b *bbolt.Tx) error {
		_, row := b.Bucket([]byte(audit.Tables[0].Name)).Cursor().Last()
		assert.Contains(t, string(row), `"action":"begin"`)
		return nil
	}))
}

// TestC14AuditAddsNoCommit: entries ride in the transactions that there are.
func TestC14AuditAddsNoCommit(t *testing.T) {
	t.Parallel()
	s := newTest(t, Options{})
	commits := func() (id int) {
		require.NoError(t, s.View(t.Context(), func(t *inventory.Tx) error { id = t.ID(); return nil }))
		return id
	}
	before := commits()
	submit(t, s, batch("B1", "h1"))
	require.Equal(t, before+1, commits())
	inv := claim(t, s, t0, "")
	require.Equal(t, before+2, commits())
	require.NoError(t, s.Finish(t.Context(), inv.Ref(), installer.Transition{State: installer.Pending, NotBefore: t0, At: t0}))
	inv = claim(t, s, t0, "")
	require.Equal(t, before+4, commits())
	finish(t, s, inv, installer.Failed)
	// With credentials forgotten at once, that is a commit of its own, as ever.
	require.LessOrEqual(t, commits(), before+6)
	require.Len(t, lines(t, s), 4)
}

func TestAuditNamesAHundredHostsAnEntry(t *testing.T) {
	t.Parallel()
	s := newTest(t, Options{})
	hosts := make([]string, 250)
	for i := range hosts {
		hosts[i] = fmt.Sprint("h", i)
	}
	submit(t, s, batch("B1", hosts...))
	entries, err := s.Audit(t.Context(), installer.AuditFilter{})
	require.NoError(t, err)
	require.Len(t, entries, 3)
	var named []string
	for _, e := range entries {
		for _, h := range e.Hosts {
			named = append(named, h.ID)
		}
	}
	assert.Equal(t, hosts, named)
	inOrder(t, s)
}
