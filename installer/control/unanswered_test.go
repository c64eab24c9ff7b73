package control_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/api"
	"tripod/installer/control"
)

// TestUnanswered: who waits no longer for a daemon is told that it does not
// answer, whether it follows, asks or reads; and that is no error of the input.
func TestUnanswered(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	s := r.sent(2)
	f, err := r.client.Follow(t.Context(), s.ID, "", func(error) { t.Error("it is not waited for") })
	require.NoError(t, err)
	r.client.Patience = 0
	r.down.Store(true)
	began := time.Now()
	var lost *control.Unanswered
	require.ErrorAs(t, run(t.Context(), f, func(installer.Event) {}), &lost)
	_, err = control.GetBatch.Call(t.Context(), r.client, control.ID{ID: s.ID})
	require.ErrorAs(t, err, &lost)
	_, err = r.client.Log(t.Context(), s.Invs[0].ID)
	require.ErrorAs(t, err, &lost)
	_, err = r.client.Submit(t.Context(), request(1))
	require.ErrorAs(t, err, &lost)
	_, err = control.AddToken.Call(t.Context(), r.client, control.Grant{Name: "another", Rights: installer.FullRights})
	require.ErrorAs(t, err, &lost)
	require.Less(t, time.Since(began), time.Minute, "nothing was waited for")

	r.down.Store(false)
	_, err = control.GetBatch.Call(t.Context(), r.client, control.ID{ID: "none"})
	require.ErrorIs(t, err, installer.ErrNotFound)
	require.NotErrorAs(t, err, &lost)
}

// TestUnansweredMidway: an answer that is cut off is none.
func TestUnansweredMidway(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/tripod/v1/principal" {
			_, _ = w.Write([]byte(`{"project_id":"p-one"}`))
			return
		}
		w.Header().Set("Content-Length", "100")
		_, _ = w.Write([]byte("the beginning of it"))
	}))
	t.Cleanup(srv.Close)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	c, err := control.Connect(t.Context(), &api.Client{BaseURL: srv.URL, Token: installer.NewSecret("x"), HTTP: &http.Client{Transport: transport}})
	require.NoError(t, err)
	c.Patience = 0
	var lost *control.Unanswered
	_, err = control.ListBatches.Call(t.Context(), c, control.Newest{Limit: 1})
	require.ErrorAs(t, err, &lost)
	log, err := c.Log(t.Context(), "i")
	require.NoError(t, err)
	defer log.Close()
	buf := make([]byte, 1000)
	for err == nil {
		_, err = log.Read(buf)
	}
	require.ErrorAs(t, err, &lost)
}
