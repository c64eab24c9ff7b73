package api_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"tripod/installer"
)

// TestC14DeniedAddresses: who asks for work on addresses that the target policy
// denies is in the audit log, once for a request, however many they are.
func TestC14DeniedAddresses(t *testing.T) {
	t.Parallel()
	r := newRig(t, denyLoopback)
	var hosts []map[string]any
	for i := range 12 {
		hosts = append(hosts, host(map[string]any{"remote_ip": fmt.Sprintf("127.0.0.%d", i+1)}))
	}
	hosts = append(hosts, host(map[string]any{"remote_ip": "203.0.113.7"}))
	r.send(http.MethodPost, create, remoteInstall(hosts...)).created(t)
	r.send(http.MethodPost, create, remoteInstall(host(map[string]any{"remote_ip": "203.0.113.8"}))).created(t)
	entries, err := r.store.Audit(t.Context(), installer.AuditFilter{Project: project})
	require.NoError(t, err)
	var denied []installer.AuditEntry
	for _, e := range entries {
		if e.Action == installer.AuditDenied {
			denied = append(denied, e)
		}
	}
	require.Len(t, denied, 1)
	e := denied[0]
	require.Equal(t, "token tester", e.By)
	require.Equal(t, installer.RemoteInstall, e.Type)
	require.Equal(t, installer.KindPolicyDenied, e.Kind)
	require.Contains(t, e.Detail, "12 addresses: policy-denied: 127.0.0.1 is ")
	require.Len(t, e.Hosts, 10)
	require.Contains(t, e.Hosts[0].At, "@127.0.0.1:22")
}
