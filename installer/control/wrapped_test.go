package control_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/api"
	"tripod/installer/control"
	"tripod/installer/hostsfile"
	"tripod/installer/plan"
	"tripod/installer/policy"
)

// TestBWrappedTargets: a hosts file that dresses up what the daemon may not dial
// is refused whole, and names each of them; the way to a host is judged as well.
func TestBWrappedTargets(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	rules, err := policy.New(nil, nil)
	require.NoError(t, err)
	planner := plan.NewPlanner(plan.Planner{Store: r.store, Policy: rules.Check})
	handler := api.New(api.Config{
		Planner: planner, Access: r.store, Logger: slog.New(slog.DiscardHandler),
		Routes: control.Routes(control.Config{Store: r.store, Hub: r.hub, Engine: control.NoEngine{}, Planner: planner}),
	})
	srv := httptest.NewServer(handler)
	t.Cleanup(srv.Close)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	client, err := control.Connect(t.Context(), &api.Client{BaseURL: srv.URL, Token: installer.NewSecret(r.token), HTTP: &http.Client{Transport: transport}})
	require.NoError(t, err)

	wrapped := []string{
		"::ffff:169.254.169.254", "::ffff:127.0.0.1", "64:ff9b::169.254.169.254", "64:ff9b::7f00:1", "64:ff9b:1::127.0.0.1",
		"2002:a9fe:a9fe::1", "2002:7f00:1::", "fe80::1", "::1", "fd00:ec2::254",
	}
	file := ""
	for _, address := range wrapped {
		file += fmt.Sprintf("root@[%s]:2222\n", address)
	}
	entries, err := hostsfile.Parse("hosts", strings.NewReader(file), hostsfile.FormatAuto, hostsfile.Defaults{Port: 22})
	require.NoError(t, err)
	require.Len(t, entries, len(wrapped))
	direct, through := request(len(wrapped)), request(len(wrapped))
	for i, e := range entries {
		to := &direct.Hosts[i]
		to.Host.Endpoint, to.Host.Via, to.Host.Name = e.Host.Endpoint, nil, e.Host.Address
		to.Credentials.Via = nil
		through.Hosts[i].Host.Via[0] = e.Host.Endpoint
	}
	for _, req := range []plan.Request{direct, through} {
		var faults installer.Faults
		_, err := client.Submit(t.Context(), req)
		require.ErrorAs(t, err, &faults)
		require.Len(t, faults, len(wrapped))
		for i, f := range faults {
			require.Contains(t, f.What, "policy-denied: ", wrapped[i])
		}
	}
	zoned := request(1) // no hosts file could say that
	zoned.Hosts[0].Host.Address = "fe80::1%eth0"
	_, err = client.Submit(t.Context(), zoned)
	require.ErrorContains(t, err, "hosts[0].address: an IPv6 address with a zone")
	heads, err := r.store.Batches(t.Context(), project, 10)
	require.NoError(t, err)
	require.Empty(t, heads)
}
