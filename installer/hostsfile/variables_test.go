package hostsfile

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"tripod/installer"
)

func TestVariablesOfHosts(t *testing.T) {
	t.Parallel()
	parse := func(text string) ([]installer.HostEntry, error) {
		return Parse("hosts", strings.NewReader(text), FormatAuto, Defaults{})
	}
	const csv = "address,var.Zone,var.EMPTY,secret.TOKEN\n192.0.2.[1-2],\" z '\"\"$\n\",,\" s'$\"\n192.0.2.3,,,\n"
	const json = `[{"remote_ip":"192.0.2.1","vars":{"Zone":" z '\"$\n"},"secret_vars":{"TOKEN":" s'$"}},
		{"remote_ip":"192.0.2.2","vars":{"Zone":" z '\"$\n"},"secret_vars":{"TOKEN":" s'$","NONE":""}},{"remote_ip":"192.0.2.3"}]`
	for _, text := range []string{csv, json} {
		entries, err := parse(text)
		require.NoError(t, err)
		for _, e := range entries[:2] {
			require.Equal(t, map[string]string{"Zone": " z '\"$\n"}, e.Host.Vars)
			require.Len(t, e.Credentials.Vars, 1)
			require.Equal(t, " s'$", e.Credentials.Vars["TOKEN"].Reveal())
			require.True(t, e.HasSecret)
		}
		require.Empty(t, entries[2].Host.Vars)
		require.Nil(t, entries[2].Credentials.Vars)
		require.False(t, entries[2].HasSecret)
	}

	long := strings.Repeat("x", 25<<10)
	for text, want := range map[string][]string{
		"ip,var.1,secret.TRIPOD_A,var.A,var.A\n": {"hosts:1: column 2 of the header: a variable's name",
			"hosts:1: column 3 of the header: variables that begin with TRIPOD_", "hosts:1 var.A: is there twice"},
		"ip,var.A,secret.A\n192.0.2.1," + long + "," + long + "\n": {"hosts:2 var.NAME: have more than 24 KiB", "hosts:2 secret.NAME: have more than 24 KiB"},
		`[{"remote_ip":"192.0.2.1","vars":{"1":"CANARY","A":1},"secret_vars":{"UID":"CANARY","B":"` + long + `"}},{"remote_ip":"192.0.2.2","vars":[]}]`: {
			"hosts [0].vars.1: a variable's name", "hosts [0].vars.A: must be a string", "hosts [0].secret_vars.UID: the variable UID",
			"hosts [0].secret_vars: have more than 24 KiB", "hosts [1].vars: must be an object"},
	} {
		_, err := parse(text)
		require.Error(t, err)
		require.Len(t, err, len(want), "%v", err)
		for _, what := range want {
			require.ErrorContains(t, err, what)
		}
		require.NotContains(t, err.Error(), "CANARY")
	}
}
