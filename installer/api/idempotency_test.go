package api_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/api"
	"tripod/installer/apitest"
	"tripod/installer/plan"
	"tripod/store"
)

const headerKey = "Idempotency-Key"

func (r *rig) count() int64 {
	r.t.Helper()
	page, err := r.store.Invocations(r.t.Context(), installer.Filter{ProjectID: project})
	require.NoError(r.t, err)
	return page.Count
}

// TestA17TheSameRequestTwice is one batch and one answer.
func TestA17TheSameRequestTwice(t *testing.T) {
	t.Parallel()
	r := newRig(t, denyLoopback)
	body := remoteInstall(host(nil), host(map[string]any{"remote_ip": "127.0.0.1"}), host(map[string]any{"remote_ip": "10.0.0.2"}))
	first := r.send(http.MethodPost, create, body, headerKey, "key-1")
	require.Equal(t, http.StatusCreated, first.status)
	for range 2 {
		again := r.send(http.MethodPost, create, body, headerKey, "key-1")
		require.Equal(t, http.StatusCreated, again.status)
		require.Equal(t, first.body, again.body, "refused items included")
	}
	require.EqualValues(t, 2, r.count())
	require.EqualValues(t, 1, r.wakes.Load())

	r.send(http.MethodPost, create, body+" ", headerKey, "key-1").
		refused(t, http.StatusConflict, api.CodeInvalidRequest, "Idempotency-Key: was used before")
	require.EqualValues(t, 2, r.count())

	// Another key, another project, or no key: another request.
	require.NotEqual(t, first.body, r.send(http.MethodPost, create, body, headerKey, "key-2").body)
	require.NotEqual(t, first.body, r.send(http.MethodPost, create, body).body)
	require.EqualValues(t, 6, r.count())
	token := r.addToken("p-two", "other")
	other := r.send(http.MethodPost, "/v3/p-two/agent-invocations/batch-create", body, headerKey, "key-1", "X-Auth-Token", token)
	require.NotContains(t, other.body, first.created(t).Invocations[0].InvocationID)
	require.EqualValues(t, 6, r.count())

	// The client sends it too.
	req := apitest.CreateRequest{InvocationType: "INSTALL", InstanceIDs: []string{first.created(t).Invocations[0].InstanceID}, IdempotencyKey: "key-3"}
	one, err := r.client.Create(t.Context(), req)
	require.NoError(t, err)
	two, err := r.client.Create(t.Context(), req)
	require.NoError(t, err)
	require.Equal(t, one, two)
}

// TestA17KeysAreRememberedForADay: the same ids a minute before it is over, and
// a new task a minute after.
func TestA17KeysAreRememberedForADay(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	st := openStore(t, t.TempDir()+"/state", store.Options{Clock: func() time.Time { return now }, KeepSucceeded: time.Hour, KeepOther: time.Hour})
	r := rigOn(t, st)
	body := remoteInstall(host(nil))
	first := r.send(http.MethodPost, create, body, headerKey, "k")
	require.Equal(t, http.StatusCreated, first.status)
	now = now.Add(24*time.Hour - time.Minute)
	require.NoError(t, st.Purge(t.Context(), now))
	require.Equal(t, first.body, r.send(http.MethodPost, create, body, headerKey, "k").body)
	now = now.Add(2 * time.Minute)
	again := r.send(http.MethodPost, create, body, headerKey, "k").created(t)
	require.NotEqual(t, first.created(t).Invocations[0].InvocationID, again.Invocations[0].InvocationID)
}

func TestBIdempotencyKeys(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	body := remoteInstall(host(nil))
	for _, key := range []string{strings.Repeat("k", 256), "a\tb", "é", "a\x7f", "\x00"} {
		r.send(http.MethodPost, create, body, headerKey, key).refused(t, http.StatusBadRequest, api.CodeInvalidRequest, "Idempotency-Key: ")
	}
	for _, keys := range [][]string{{""}, {"a", "b"}, {"a", "a"}} {
		a := r.sendKeys(body, keys)
		a.refused(t, http.StatusBadRequest, api.CodeInvalidRequest, "Idempotency-Key: ")
	}
	r.nothingStored()
	for _, key := range []string{"k", strings.Repeat("k", 255), `!"#$%&'()*+,-./:;<=>?@[\]^_{|}~ x`, "../../etc/passwd"} {
		first := r.send(http.MethodPost, create, body, headerKey, key)
		require.Equal(t, first.body, r.send(http.MethodPost, create, body, headerKey, key).body)
	}
	require.EqualValues(t, 4, r.count())
}

func (r *rig) sendKeys(body string, keys []string) answer {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodPost, create, strings.NewReader(body))
	require.NoError(r.t, err)
	req.Header.Set("X-Auth-Token", r.token)
	req.Header[headerKey] = keys
	return r.serve(req)
}

// TestA17WhatCreatedNothingTakesNoKey: once the reason is gone, the same
// request works.
func TestA17WhatCreatedNothingTakesNoKey(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	body := asJSON(map[string]any{"invocation_type": "INSTALL", "instance_ids": []string{"web-0001"}})
	itemRefused(t, r.send(http.MethodPost, create, body, headerKey, "k").created(t).Invocations[0], api.ItemUnknownInstance, "")
	r.send(http.MethodPost, create, `{"invocation_type":"X"}`, headerKey, "k").refused(t, http.StatusBadRequest, api.CodeBodyInvalid)
	require.NoError(t, r.store.RegisterHosts(t.Context(), project, []installer.HostEntry{{
		Host:        installer.Host{ID: "web-0001", Endpoint: installer.Endpoint{Address: "10.0.0.1", Port: 22, User: "root"}},
		Credentials: installer.Credentials{Login: installer.Login{Password: installer.NewSecret("x")}},
	}}))
	first := r.send(http.MethodPost, create, body, headerKey, "k")
	r.stored(first.created(t).Invocations[0])
	require.Equal(t, first.body, r.send(http.MethodPost, create, body, headerKey, "k").body)
	require.EqualValues(t, 1, r.count())
}

// TestA17TwoAtTheSameTime are one batch, whoever is first.
func TestA17TwoAtTheSameTime(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	body := remoteInstall(entries(5)...)
	for _, key := range []string{"a", "b", "c"} {
		var wg sync.WaitGroup
		answers := make([]answer, 8)
		before := r.count()
		for i := range answers {
			wg.Go(func() { answers[i] = r.send(http.MethodPost, create, body, headerKey, key) })
		}
		wg.Wait()
		for _, a := range answers {
			assert.Equal(t, http.StatusCreated, a.status)
			assert.Equal(t, answers[0].body, a.body)
		}
		require.EqualValues(t, before+5, r.count())
	}
}

// dyingLedger commits, and then is not there to say so.
type dyingLedger struct{ plan.Store }

func (l dyingLedger) Submit(ctx context.Context, b installer.Batch) error {
	if err := l.Store.Submit(ctx, b); err != nil {
		return err
	}
	return errors.New("the daemon died between the commit and the answer")
}

// TestA17ACrashBetweenCommitAndReply: the client heard nothing, asks again, and
// gets the batch that is there, from the next daemon on the same state.
func TestA17ACrashBetweenCommitAndReply(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *api.Config) { c.Store = dyingLedger{c.Store} })
	body := remoteInstall(entries(3)...)
	r.send(http.MethodPost, create, body, headerKey, "k").refused(t, http.StatusInternalServerError, api.CodeInternal)
	require.EqualValues(t, 3, r.count())
	require.NoError(t, r.store.Close())

	st := openStore(t, r.store.Dir(), store.Options{})
	r.store = st
	r.restart()
	made := r.send(http.MethodPost, create, body, headerKey, "k").created(t).Invocations
	require.EqualValues(t, 3, r.count(), "nothing was done twice")
	page, err := st.Invocations(t.Context(), installer.Filter{ProjectID: project})
	require.NoError(t, err)
	for i, inv := range page.Invocations { // newest first
		require.Equal(t, inv.ID, made[len(made)-1-i].InvocationID)
	}
}
