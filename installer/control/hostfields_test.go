package control_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/plan"
)

const goodPin = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIG4hcPmTaEVDbgPDDFPLfsYGFcuK4ZcvZK0Cg8PwBtd"

// TestHostsArePutInOrder: what a client leaves out or writes in another way is
// stored as the command line would have sent it.
func TestHostsArePutInOrder(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	host := func(id, address string, pin string) installer.Host {
		return installer.Host{ID: id, Endpoint: installer.Endpoint{Address: address, Port: 22, User: "root", HostKey: pin}}
	}
	mapped := host("i-3", "10.1.0.3", "")
	mapped.ElasticIPs, mapped.Type = []string{"::ffff:8.8.8.8"}, installer.BMS
	require.NoError(t, r.addHosts([]installer.HostEntry{
		{Host: host("i-1", "10.1.0.1", "  "+goodPin+" of web 1\n")}, {Host: host("i-2", "8.8.4.4", "")}, {Host: mapped},
	}))
	page, err := r.store.Hosts(t.Context(), project, installer.HostFilter{})
	require.NoError(t, err)
	require.Len(t, page.Hosts, 3)
	one, two, three := page.Hosts[0], page.Hosts[1], page.Hosts[2]
	require.Equal(t, installer.ECS, one.Type)
	require.Equal(t, []string{"10.1.0.1"}, one.IntranetIPs)
	require.Equal(t, goodPin, one.HostKey)
	require.Equal(t, installer.ECS, two.Type)
	require.Equal(t, []string{"8.8.4.4"}, two.ElasticIPs)
	require.Equal(t, installer.BMS, three.Type)
	require.Equal(t, []string{"8.8.8.8"}, three.ElasticIPs)
	require.Empty(t, three.IntranetIPs)

	s := r.sent(1, func(req *plan.Request) { req.Hosts[0].Host.Type = "" })
	require.Equal(t, installer.ECS, s.Invs[0].Host.Type)
}

// TestHostFieldsAreChecked as those of a hosts file are, each with its path.
func TestHostFieldsAreChecked(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	labels := map[string]string{}
	for i := range installer.MaxLabels + 1 {
		labels[fmt.Sprint("l", i)] = ""
	}
	ips := make([]string, 65)
	for i := range ips {
		ips[i] = fmt.Sprintf("10.0.0.%d", i)
	}
	for want, change := range map[string]func(*installer.HostEntry){
		"hosts[0].host_key: is neither a public key":      func(e *installer.HostEntry) { e.Host.HostKey = "garbage canary" },
		"hosts[0].host_key: is not a SHA256: fingerprint": func(e *installer.HostEntry) { e.Host.HostKey = "SHA256:canary" },
		"hosts[0].host_key: is longer than":               func(e *installer.HostEntry) { e.Host.HostKey = goodPin + strings.Repeat(" canary", 4<<10) },
		"hosts[0].via[0].host_key: is neither": func(e *installer.HostEntry) {
			e.Host.Via = []installer.Endpoint{{Address: "10.0.0.9", Port: 22, User: "a", HostKey: "canary"}}
		},
		"hosts[0].instance_name: must have at most 128":        func(e *installer.HostEntry) { e.Host.Name = strings.Repeat("ä", 129) },
		"hosts[0].instance_name: holds a control character":    func(e *installer.HostEntry) { e.Host.Name = "a\x1bb" },
		"hosts[0].instance_type: must be ECS or BMS":           func(e *installer.HostEntry) { e.Host.Type = "VM" },
		"hosts[0].labels: has more than 64":                    func(e *installer.HostEntry) { e.Host.Labels = labels },
		"hosts[0].labels: a label's name has":                  func(e *installer.HostEntry) { e.Host.Labels = map[string]string{"A": "b"} },
		"hosts[0].intranet_ips[1]: must be an IP address":      func(e *installer.HostEntry) { e.Host.IntranetIPs = []string{"10.0.0.1", "fe80::1%eth0"} },
		"hosts[0].elastic_ips: has more than 64 addresses":     func(e *installer.HostEntry) { e.Host.ElasticIPs = ips },
		"hosts[0].port: must be 1–65535":                       func(e *installer.HostEntry) { e.Host.Port = 0 },
		"hosts[0].user: the user name has more":                func(e *installer.HostEntry) { e.Host.User = strings.Repeat("u", 65) },
		"hosts[0].address: this is neither a host name":        func(e *installer.HostEntry) { e.Host.Address = "010.0.0.1" },
		"hosts[0].password: must have at most 3000 characters": func(e *installer.HostEntry) { e.Credentials.Password = installer.NewSecret(strings.Repeat("ä", 3001)) },
		"hosts[0].private_key: must have at most 65536 bytes": func(e *installer.HostEntry) {
			e.Credentials.PrivateKey = installer.NewSecret(strings.Repeat("k", 65537))
		},
	} {
		e := installer.HostEntry{Host: installer.Host{ID: "i-1", Endpoint: installer.Endpoint{Address: "10.1.0.1", Port: 22, User: "root"}}}
		change(&e)
		err := r.addHosts([]installer.HostEntry{e})
		var faults installer.Faults
		require.ErrorAs(t, err, &faults, want)
		require.ErrorContains(t, err, strings.TrimSpace(want))
		require.Len(t, faults, 1)
		require.NotContains(t, err.Error(), "canary")
	}
}

// TestEveryFaultOnce: what is wrong is told once.
func TestEveryFaultOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for want, change := range map[string]func(*installer.Spec){
		"spec.online.url":    func(s *installer.Spec) { s.Online = &installer.Online{URL: "ftp://x", Region: "cn-north-4"} },
		"spec.online.region": func(s *installer.Spec) { s.Online = &installer.Online{URL: "https://x.example", Region: "a b"} },
	} {
		req := request(1)
		change(&req.Spec)
		var faults installer.Faults
		_, err := r.client.Submit(t.Context(), req)
		require.ErrorAs(t, err, &faults, want)
		require.Len(t, faults, 1, "%s", err)
		require.ErrorContains(t, err, want)
	}
}
