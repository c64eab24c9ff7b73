package inventory

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
)

func secret(s string) installer.Secret { return installer.NewSecret(s) }

func TestCredentialsAreByteExact(t *testing.T) {
	t.Parallel()
	for _, c := range []installer.Credentials{
		{},
		{Login: installer.Login{Password: secret("\x00\xff  spaces and \"quotes\" ")}},
		{Login: installer.Login{PrivateKey: secret(strings.Repeat("k", 3000)), Passphrase: secret("p")}, SudoPassword: secret("s")},
		{Via: []installer.Login{{Password: secret("one")}, {}, {PrivateKey: secret("three"), Passphrase: secret("é")}}},
		{Login: installer.Login{Password: secret(strings.Repeat("x", 56))}},
		{Agent: installer.AgentKeys{AccessKey: secret("AK"), SecretKey: secret(strings.Repeat("é\\'\"$", 500))}},
		{Vars: installer.Vars{"A": secret("\n' é"), "B": secret(strings.Repeat("x", 3000))}},
	} {
		packed := packCredentials(c)
		assert.Zero(t, len(packed)%padding)
		got, err := unpackCredentials(packed)
		require.NoError(t, err)
		assert.Equal(t, c, got)
	}
}

// What was sealed before agents got keys, and scripts variables, ends with the last login, or with padding of any length.
func TestCredentialsOfBeforeAgentKeys(t *testing.T) {
	t.Parallel()
	for n := range padding {
		old := append([]byte{0, byte(n)}, strings.Repeat("x", n)...)
		old = append(old, 0, 0, 0)
		old = append(old, make([]byte, (padding-len(old)%padding)%padding)...)
		c, err := unpackCredentials(old)
		require.NoError(t, err, n)
		require.Equal(t, installer.Credentials{Login: installer.Login{Password: secret(strings.Repeat("x", n))}}, c)
	}
}

func FuzzUnpackCredentials(f *testing.F) {
	f.Add(packCredentials(installer.Credentials{Via: []installer.Login{{Password: secret("x")}}}))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Add([]byte{3, 1, 'a'})
	f.Fuzz(func(t *testing.T, packed []byte) {
		c, err := unpackCredentials(packed)
		if err != nil {
			assert.Empty(t, c.Secrets())
			return
		}
		again, err := unpackCredentials(packCredentials(c))
		require.NoError(t, err)
		assert.Equal(t, c, again)
	})
}
