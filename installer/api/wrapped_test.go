package api_test

import (
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/api"
	"tripod/installer/hostsfile"
)

// wrapped are addresses that the daemon may not dial, as a hosts file can
// dress them: mapped, NAT64, 6to4. One with a zone is refused when it is read.
var wrapped = []string{
	"::ffff:169.254.169.254", "::ffff:127.0.0.1", "64:ff9b::169.254.169.254", "64:ff9b::7f00:1", "64:ff9b:1::127.0.0.1",
	"2002:a9fe:a9fe::1", "2002:7f00:1::", "fe80::1", "::1", "::", "ff02::1", "fd00:ec2::254",
}

// TestBWrappedTargets: hosts files with them are read, and their hosts are known,
// but no task is made for one.
func TestBWrappedTargets(t *testing.T) {
	t.Parallel()
	r := newRig(t, denyLoopback)
	file := "root@10.0.0.9\n"
	for _, address := range wrapped {
		file += "root@[" + address + "]:2222\n"
	}
	entries, err := hostsfile.Parse("hosts", strings.NewReader(file), hostsfile.FormatAuto, hostsfile.Defaults{Port: 22})
	require.NoError(t, err)
	require.Len(t, entries, len(wrapped)+1)
	var hosts []installer.HostEntry
	var ids []string
	for _, e := range entries {
		e.Host.ID = installer.InstanceID(project, e.Host.Address, e.Host.Port)
		hosts = append(hosts, installer.HostEntry{Host: e.Host, Credentials: installer.Credentials{Login: installer.Login{Password: installer.NewSecret("x")}}})
		ids = append(ids, e.Host.ID)
	}
	_, err = hostsfile.Parse("hosts", strings.NewReader("root@[fe80::1%eth0]\n"), hostsfile.FormatAuto, hostsfile.Defaults{Port: 22})
	require.ErrorContains(t, err, "hosts:1: an IPv6 address with a zone")
	require.NoError(t, r.store.RegisterHosts(t.Context(), project, hosts))
	for _, kind := range []string{"INSTALL", "UPDATE", "SET_REMOTE_INSTALLER"} {
		results := r.ask(kind, nil, ids...)
		require.Equal(t, api.RetSuccessful, results[0].RetStatus, results[0].ErrorMsg)
		for i, res := range results[1:] {
			itemRefused(t, res, api.ItemPolicyDenied, "policy-denied: ")
			require.Empty(t, res.InvocationID, wrapped[i])
		}
	}
	require.EqualValues(t, 3, r.count())
}

// TestBTargetPolicyOfOldTasks: a RETRY or ROLLBACK goes to no host that has been
// denied since.
func TestBTargetPolicyOfOldTasks(t *testing.T) {
	t.Parallel()
	open := true
	r := newRig(t, func(c *api.Config) {
		c.Policy = func(netip.Addr) error {
			if open {
				return nil
			}
			return errors.New("it is denied now")
		}
	})
	id := r.send(http.MethodPost, create, remoteInstall(host(nil))).created(t).Invocations[0].InstanceID
	r.finishAll(installer.Failed)
	failed := r.list("").Invocations[0].InvocationID
	done := r.ask("INSTALL", nil, id)[0].InvocationID
	r.finishWith(installer.Transition{State: installer.Succeeded, Outcome: installer.Outcome{Changed: true, TargetVersion: "1"}})
	open = false
	for kind, of := range map[string]string{"RETRY": failed, "ROLLBACK": done} {
		itemRefused(t, r.ask(kind, nil, of)[0], api.ItemPolicyDenied, "policy-denied: it is denied now")
	}
	open = true
	for kind, of := range map[string]string{"RETRY": failed, "ROLLBACK": done} {
		r.stored(r.ask(kind, nil, of)[0])
		r.finishAll(installer.Canceled)
	}
}
