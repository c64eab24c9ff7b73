package inventory

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tripod/installer"
)

// The login of a host, the agent's keys and a script's variables are imported apart: each stays where only others
// are given again, all are for the way that they were given for, and go with the host.
func TestImportedBesideLogin(t *testing.T) {
	t.Parallel()
	s := newTest(t)
	entry := known("i-1", "10.0.0.1", "pw")
	keys := installer.Credentials{Agent: installer.AgentKeys{AccessKey: secret("AK1"), SecretKey: secret("SK1")}}
	vars := installer.Credentials{Vars: installer.Vars{"A": secret("V1")}}
	kept := func(to installer.Host) (all [3]string) {
		creds, err := s.HostCredentials(t.Context(), project, to)
		if !isMissing(err) {
			require.NoError(t, err)
		}
		require.Zero(t, creds.Agent)
		require.Nil(t, creds.Vars)
		agent, err := s.AgentKeys(t.Context(), project, to, nil)
		require.NoError(t, err)
		own, err := s.ScriptVars(t.Context(), project, to, nil)
		require.NoError(t, err)
		return [3]string{creds.Password.Reveal(), agent.AccessKey.Reveal(), own["A"].Reveal()}
	}
	expect := func(password, accessKey, variable string) {
		t.Helper()
		require.Equal(t, [3]string{password, accessKey, variable}, kept(entry.Host))
	}
	again := func(creds installer.Credentials) {
		t.Helper()
		entry := entry
		entry.Credentials = creds
		register(t, s, entry)
	}

	again(keys)
	expect("", "AK1", "")
	page, err := s.Hosts(t.Context(), project, installer.HostFilter{})
	require.NoError(t, err)
	require.False(t, page.Hosts[0].Login, "keys of the agent are no login")
	again(vars)
	expect("", "AK1", "V1")
	again(entry.Credentials)
	expect("pw", "AK1", "V1")
	keys.Agent.AccessKey = secret("AK2")
	again(keys)
	expect("pw", "AK2", "V1")
	again(installer.Credentials{Vars: installer.Vars{"A": secret("V2")}})
	expect("pw", "AK2", "V2")
	again(installer.Credentials{})
	expect("pw", "AK2", "V2")
	require.Equal(t, 3, s.vault.Count(), "what was replaced is forgotten")

	elsewhere := entry
	elsewhere.Host.Port, elsewhere.Credentials = 2222, installer.Credentials{}
	require.Zero(t, kept(elsewhere.Host))
	register(t, s, elsewhere)
	require.Zero(t, kept(elsewhere.Host), "what was given for another way does not follow the id")
	require.Zero(t, s.vault.Count())

	entry.Credentials.Agent, entry.Credentials.Vars = keys.Agent, vars.Vars
	register(t, s, entry)
	expect("pw", "AK2", "V1")
	require.NoError(t, s.RemoveHosts(t.Context(), project, []string{"i-1"}))
	require.Zero(t, s.vault.Count())
}
