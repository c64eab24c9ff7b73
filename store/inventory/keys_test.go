package inventory

import (
	"testing"

	"github.com/stretchr/testify/require"

	"tripod/installer"
)

// The agent's keys and the login of a host are imported apart: either stays where only the other one is
// given again, both are for the way that they were given for, and both go with the host.
func TestImportedAgentKeys(t *testing.T) {
	t.Parallel()
	s := newTest(t)
	entry := known("i-1", "10.0.0.1", "pw")
	keys := installer.AgentKeys{AccessKey: secret("AK1"), SecretKey: secret("SK1")}
	kept := func(to installer.Host) (password, accessKey string) {
		creds, err := s.HostCredentials(t.Context(), project, to)
		if !isMissing(err) {
			require.NoError(t, err)
		}
		require.Zero(t, creds.Agent)
		agent, err := s.AgentKeys(t.Context(), project, to, nil)
		require.NoError(t, err)
		return creds.Password.Reveal(), agent.AccessKey.Reveal()
	}
	expect := func(password, accessKey string) {
		t.Helper()
		p, k := kept(entry.Host)
		require.Equal(t, []string{password, accessKey}, []string{p, k})
	}
	none, onlyKeys, login := entry, entry, entry.Credentials
	none.Credentials, onlyKeys.Credentials = installer.Credentials{}, installer.Credentials{Agent: keys}

	register(t, s, onlyKeys)
	expect("", "AK1")
	page, err := s.Hosts(t.Context(), project, installer.HostFilter{})
	require.NoError(t, err)
	require.False(t, page.Hosts[0].Login, "keys of the agent are no login")
	register(t, s, entry)
	expect("pw", "AK1")
	onlyKeys.Credentials.Agent.AccessKey = secret("AK2")
	register(t, s, onlyKeys)
	expect("pw", "AK2")
	register(t, s, none)
	expect("pw", "AK2")
	require.Equal(t, 2, s.vault.Count(), "what was replaced is forgotten")

	elsewhere := entry.Host
	elsewhere.Port = 2222
	password, accessKey := kept(elsewhere)
	require.Empty(t, password+accessKey)
	none.Host = elsewhere
	register(t, s, none)
	password, accessKey = kept(elsewhere)
	require.Empty(t, password+accessKey, "what was given for another way does not follow the id")
	require.Zero(t, s.vault.Count())

	entry.Credentials = login
	entry.Credentials.Agent = keys
	register(t, s, entry)
	expect("pw", "AK1")
	require.NoError(t, s.RemoveHosts(t.Context(), project, []string{"i-1"}))
	require.Zero(t, s.vault.Count())
}
