package store

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/store/inventory"
	"tripod/store/kv"
	"tripod/store/storetest"
	"tripod/store/vault"
)

func secret(s string) installer.Secret { return installer.NewSecret(s) }

// TestC08SwappedSeals: sealed values are bound to their place.
func TestC08SwappedSeals(t *testing.T) {
	t.Parallel()
	s := newTest(t, Options{KeepOther: time.Hour})
	submit(t, s, batch("B1", "h1", "h2"))
	submit(t, s, batch("B2", "h1"))
	rows := map[string][]byte{}
	require.NoError(t, s.View(t.Context(), func(t *inventory.Tx) error {
		for k, v := range t.All(inventory.TSealed, nil) {
			rows[string(k)] = bytes.Clone(v)
		}
		return nil
	}))
	require.Len(t, rows, 3)
	open := func(batch, id, host string) error {
		_, err := s.Credentials(t.Context(), &installer.Invocation{ProjectID: project, BatchID: batch, ID: id, Host: installer.Host{ID: host}})
		return err
	}
	require.NoError(t, open("B1", "B1-0000", "h1"))
	for to := range rows {
		for from, val := range rows {
			if to == from {
				continue
			}
			require.NoError(t, s.Update(t.Context(), func(t *inventory.Tx) error {
				t.Put(inventory.TSealed, []byte(to), val)
				return nil
			}))
			parts := strings.Split(to, "\x00")
			for _, host := range []string{"h1", "h2"} {
				err := open(parts[0], parts[1], host)
				require.ErrorIs(t, err, vault.ErrAltered, "%q in the place of %q", from, to)
				require.ErrorIs(t, err, installer.ErrStorage)
			}
		}
	}
	require.NoError(t, s.Update(t.Context(), func(t *inventory.Tx) error {
		for k, v := range rows {
			t.Put(inventory.TSealed, []byte(k), v)
		}
		return nil
	}))
	require.NoError(t, open("B1", "B1-0000", "h1"))
	_, err := s.Credentials(t.Context(), &installer.Invocation{ProjectID: "another", BatchID: "B1", ID: "B1-0000", Host: installer.Host{ID: "h1"}})
	require.ErrorIs(t, err, vault.ErrAltered, "another project")
	require.ErrorIs(t, open("B1", "B1-0000", "h2"), vault.ErrAltered, "another host")
}

// TestC08MasterKey: a wrong, missing or malformed master key refuses to start.
func TestC08MasterKey(t *testing.T) {
	t.Parallel()
	dir := used(t)
	own := filepath.Join(dir, vault.MasterName)
	right, err := os.ReadFile(own)
	require.NoError(t, err)
	require.Len(t, right, 32)

	require.NoError(t, os.WriteFile(own, bytes.Repeat([]byte{7}, 32), 0o600))
	_, err = Open(dir, Options{})
	require.ErrorContains(t, err, "master key is not the one")
	_, err = Open(dir, Options{ReadOnly: true})
	require.ErrorContains(t, err, "master key is not the one")

	require.NoError(t, os.WriteFile(own, right[:31], 0o600))
	_, err = Open(dir, Options{})
	require.ErrorContains(t, err, "exactly 32")

	require.NoError(t, os.Remove(own))
	_, err = Open(dir, Options{})
	require.ErrorContains(t, err, "is missing")
	assert.NoFileExists(t, own)

	require.NoError(t, os.WriteFile(own, right, 0o644))
	_, err = Open(dir, Options{})
	require.ErrorContains(t, err, "open to other users")
	require.NoError(t, os.Chmod(own, 0o400))
	s := openTest(t, dir, Options{KeepOther: time.Hour})
	_, err = keptHostCredentials(t.Context(), s, project, hostNames(1)[0])
	require.NoError(t, err)
}

// TestC09Erasure: once a batch is done under "forget", today's files cannot
// open yesterday's copy of the database.
func TestC09Erasure(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]installer.State{"succeeded": installer.Succeeded, "failed": installer.Failed} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "state")
			s, err := Open(dir, Options{})
			require.NoError(t, err)
			submit(t, s, batch("B1", "h1", "h2"))
			submit(t, s, batch("B2", "h3"))
			for range 2 {
				inv := claim(t, s, t0, "B1")
				_, err := s.Credentials(t.Context(), inv)
				require.NoError(t, err)
				if inv.ID == "B1-0001" {
					yesterday, err := os.ReadFile(s.path(dbName))
					require.NoError(t, err)
					require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(dir), "copy"), yesterday, 0o600))
				}
				finish(t, s, inv, end)
			}
			inv, err := s.Invocation(t.Context(), project, "B1-0000")
			require.NoError(t, err)
			requireMissing(t, s, &inv)
			assert.Equal(t, 1, keyCount(s), "another batch's")
			require.NoError(t, s.Close())

			require.NoError(t, os.Rename(filepath.Join(filepath.Dir(dir), "copy"), filepath.Join(dir, dbName)))
			s = openTest(t, dir, Options{KeepOther: 1000 * time.Hour, KeepSucceeded: 1000 * time.Hour})
			requireMissing(t, s, &inv)
			other := claim(t, s, t0, "B2")
			_, err = s.Credentials(t.Context(), other)
			require.NoError(t, err)
		})
	}
}

func requireMissing(t *testing.T, s *Store, inv *installer.Invocation) {
	t.Helper()
	_, err := s.Credentials(t.Context(), inv)
	failure, ok := errors.AsType[*installer.Failure](err)
	require.True(t, ok, "%v", err)
	require.Equal(t, installer.KindCredentialMissing, failure.Kind)
}

// TestC10NoSecretOnDisk: no secret, in no usual encoding, in any file of the
// folder: while it is used, when it is done, and after it was erased.
func TestC10NoSecretOnDisk(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "state")
	s := openTest(t, dir, Options{KeepOther: time.Hour, KeepSucceeded: time.Hour})
	canaries := []string{"CANARY-password-0123456789", "CANARY-key-abcdefghijk", "CANARY-phrase-lmnopqrs", "CANARY-sudo-9876543210", "CANARY-via-ABCDEFGHIJ", "CANARY-access-KLMNOPQ", "CANARY-secret-RSTUVWX", "CANARY-var-YZABCDEFGH"}
	b := batch("B1", "h1", "h2")
	b.Items[1].Invocation.Type = installer.SetRemoteInstaller
	for i := range b.Items {
		b.Items[i].Credentials = installer.Credentials{
			Login:        installer.Login{Password: secret(canaries[0]), PrivateKey: secret(canaries[1]), Passphrase: secret(canaries[2])},
			SudoPassword: secret(canaries[3]),
			Via:          []installer.Login{{Password: secret(canaries[4])}},
			Agent:        installer.AgentKeys{AccessKey: secret(canaries[5]), SecretKey: secret(canaries[6])},
			Vars:         installer.Vars{"A": secret(canaries[7])},
		}
	}
	submit(t, s, b)
	token, err := s.AddToken(t.Context(), project, "ci", installer.FullRights)
	require.NoError(t, err)
	canaries = append(canaries, token, strings.TrimPrefix(token, "tpd_"))
	requireNoCanary(t, dir, canaries)
	for range 2 {
		inv := claim(t, s, t0, "")
		_, err = s.Credentials(t.Context(), inv)
		require.NoError(t, err)
		requireNoCanary(t, dir, canaries)
		finish(t, s, inv, installer.Succeeded)
	}
	requireNoCanary(t, dir, canaries)
	require.NoError(t, s.Purge(t.Context(), t0.Add(2*time.Hour)))
	requireNoCanary(t, dir, canaries)
}

func requireNoCanary(t *testing.T, dir string, canaries []string) {
	t.Helper()
	seen := 0
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		require.NoError(t, err)
		if d.IsDir() {
			return nil
		}
		seen++
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		for _, c := range canaries {
			for _, form := range []string{
				c, hex.EncodeToString([]byte(c)), strings.ToUpper(hex.EncodeToString([]byte(c))),
				base64.StdEncoding.EncodeToString([]byte(c))[:len(c)], base64.StdEncoding.EncodeToString([]byte("x" + c))[4:len(c)],
				base64.StdEncoding.EncodeToString([]byte("xx" + c))[4:len(c)],
			} {
				require.False(t, bytes.Contains(data, []byte(form)), "%s holds %q", path, form)
			}
		}
		return nil
	}))
	require.Greater(t, seen, 3)
}

func TestKeepSucceededAndOther(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		end  installer.State
		keep time.Duration
	}{{installer.Succeeded, time.Hour}, {installer.Failed, 3 * time.Hour}, {installer.Canceled, 3 * time.Hour}} {
		t.Run(string(c.end), func(t *testing.T) {
			t.Parallel()
			s := newTest(t, Options{KeepSucceeded: time.Hour, KeepOther: 3 * time.Hour})
			submit(t, s, batch("B1", "h1", "h2"))
			finish(t, s, claim(t, s, t0, ""), installer.Succeeded)
			require.NoError(t, s.Purge(t.Context(), t0.Add(1000*time.Hour)))
			inv := claim(t, s, t0, "")
			_, err := s.Credentials(t.Context(), inv)
			require.NoError(t, err, "the batch has open invocations")
			finish(t, s, inv, c.end)
			require.NoError(t, s.Purge(t.Context(), t0.Add(c.keep-1)))
			_, err = keptHostCredentials(t.Context(), s, project, "h1")
			require.NoError(t, err)
			require.NoError(t, s.Purge(t.Context(), t0.Add(c.keep)))
			requireMissing(t, s, inv)
			_, err = keptHostCredentials(t.Context(), s, project, "h1")
			require.Equal(t, installer.KindCredentialMissing, installer.FailureOf(err).Kind)
			require.NoError(t, s.View(t.Context(), func(tx *inventory.Tx) error {
				for k := range tx.All(inventory.TSealed, nil) {
					return fmt.Errorf("row %q is left", k)
				}
				return nil
			}))
		})
	}
}

// TestForgetCutShort: keys without rows and rows without keys, as a crash leaves
// them, are tidied at the next start.
func TestForgetCutShort(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(storetest.Dir(t), "state")
	s, err := Open(dir, Options{KeepOther: time.Hour, Clock: func() time.Time { return t0 }})
	require.NoError(t, err)
	submit(t, s, batch("B1", "h1"))
	submit(t, s, batch("B2", "h2"))
	inv := claim(t, s, t0, "B1")
	finish(t, s, inv, installer.Failed)
	require.NoError(t, s.View(t.Context(), func(t *inventory.Tx) error {
		_, sealed := kv.First(t.All(inventory.TSealed, kv.Join("B1")))
		return s.vault.Forget(sealed) // the row is still there
	}))
	_, err = s.vault.NewKeys(3) // of a batch that was not stored
	require.NoError(t, err)
	require.Equal(t, 4, keyCount(s))
	require.NoError(t, s.Close())

	s = openTest(t, dir, Options{KeepOther: time.Hour, Clock: func() time.Time { return t0.Add(time.Hour) }})
	assert.Equal(t, 1, keyCount(s))
	assert.Equal(t, 1, rows(t, s, inventory.TSealed))
	assert.Equal(t, "pw-h2", passwordOf(t, s, "h2"))
	requireMissing(t, s, inv)
}

func TestRefreshCredentials(t *testing.T) {
	t.Parallel()
	for _, given := range []bool{true, false} { // with and without credentials at first
		s := newTest(t, Options{KeepOther: time.Hour, KeepSucceeded: time.Hour})
		b := batch("B1", "h1", "h2", "h3")
		if !given {
			for i := range b.Items {
				b.Items[i].Credentials = installer.Credentials{}
			}
		}
		b.Items[1].Credentials.Agent = installer.AgentKeys{AccessKey: secret("AK"), SecretKey: secret("SK")}
		b.Items[1].Credentials.Vars = installer.Vars{"A": secret("a"), "B": secret("b")}
		submit(t, s, b)
		finish(t, s, claim(t, s, t0, ""), installer.Succeeded)
		fresh := installer.Credentials{Login: installer.Login{Password: secret("new")}, Vars: installer.Vars{"B": secret("new")}}
		require.NoError(t, s.RefreshCredentials(t.Context(), "B1", map[string]installer.Credentials{
			"B1-0000": fresh, "B1-0001": fresh,
		}))
		inv := claim(t, s, t0, "")
		require.Equal(t, "B1-0001", inv.ID)
		c, err := s.Credentials(t.Context(), inv)
		require.NoError(t, err)
		assert.Equal(t, "new", c.Password.Reveal())
		assert.Equal(t, "SK", c.Agent.SecretKey.Reveal(), "the agent's keys stay")
		assert.Equal(t, installer.Vars{"A": secret("a"), "B": secret("new")}, c.Vars)
		c, err = keptHostCredentials(t.Context(), s, project, "h1")
		if given {
			require.NoError(t, err)
			assert.Equal(t, "pw-h1", c.Password.Reveal(), "it has ended")
		} else {
			require.Equal(t, installer.KindCredentialMissing, installer.FailureOf(err).Kind)
		}
		finish(t, s, inv, installer.Succeeded)
		finish(t, s, claim(t, s, t0, ""), installer.Succeeded)
		require.NoError(t, s.Purge(t.Context(), t0.Add(time.Hour)))
		requireMissing(t, s, inv)
		require.ErrorIs(t, s.RefreshCredentials(t.Context(), "B1", map[string]installer.Credentials{"nobody": fresh}), installer.ErrNotFound)
		require.NoError(t, s.RefreshCredentials(t.Context(), "B1", map[string]installer.Credentials{"B1-0001": fresh}))
		requireMissing(t, s, inv)
	}
}

func TestInstallers(t *testing.T) {
	t.Parallel()
	s := newTest(t, Options{})
	ctx := t.Context()
	set := func(batchID, host, password string, end installer.State, typ installer.Type, of string) {
		b := batch(batchID, host)
		b.Items[0].Invocation.Type, b.Items[0].Invocation.Of = typ, of
		if typ == installer.Retry {
			b.Items[0].Invocation.Spec.Task = installer.SetRemoteInstaller
		}
		b.Items[0].Credentials.Password = secret(password)
		submit(t, s, b)
		finish(t, s, claim(t, s, t0, batchID), end)
	}
	set("B1", "jump2", "two", installer.Succeeded, installer.SetRemoteInstaller, "")
	set("B2", "jump1", "x", installer.Failed, installer.SetRemoteInstaller, "")
	hosts, err := s.JumpHosts(ctx, project)
	require.NoError(t, err)
	require.Len(t, hosts, 1)
	set("B3", "jump1", "one", installer.Succeeded, installer.Retry, "B2-0000")
	set("B4", "jump2", "changed", installer.Succeeded, installer.SetRemoteInstaller, "")
	set("B5", "plain", "p", installer.Succeeded, installer.RemoteInstall, "")
	hosts, err = s.JumpHosts(ctx, project)
	require.NoError(t, err)
	require.Len(t, hosts, 2)
	assert.Equal(t, "jump2", hosts[0].ID, "the first one set first")
	assert.Equal(t, "jump1", hosts[1].ID)
	for host, want := range map[string]string{"jump1": "one", "jump2": "changed"} {
		c, err := keptHostCredentials(ctx, s, project, host)
		require.NoError(t, err, "an installer's credentials outlive its batch")
		assert.Equal(t, want, c.Password.Reveal())
	}
	// A later request to the host itself, with a wrong password, say, does not
	// change the way through it.
	set("B6", "jump2", "wrong", installer.Failed, installer.RemoteInstall, "")
	c, err := keptInstallerCredentials(ctx, s, project, "jump2")
	require.NoError(t, err)
	assert.Equal(t, "changed", c.Password.Reveal())
	_, err = keptInstallerCredentials(ctx, s, project, "plain")
	require.Equal(t, installer.KindCredentialMissing, installer.FailureOf(err).Kind)

	_, err = keptHostCredentials(ctx, s, project, "plain")
	require.Equal(t, installer.KindCredentialMissing, installer.FailureOf(err).Kind)
	_, err = keptHostCredentials(ctx, s, project, "unknown")
	require.ErrorIs(t, err, installer.ErrNotFound)
	assert.Equal(t, 2, keyCount(s), "the replaced key is erased: %v")
	none, err := s.JumpHosts(ctx, "another")
	require.NoError(t, err)
	assert.Empty(t, none)
}
