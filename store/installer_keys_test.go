package store

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/store/inventory"
)

// An installer that is set again by another way, and brings no login: the one that
// was kept for the old way is dropped, so its key is erased too.
func TestAJumpHostThatIsReachedByAnotherRouteLeavesNoKey(t *testing.T) {
	t.Parallel()
	s := newTest(t, Options{})
	set := func(id, user string, creds installer.Credentials) {
		b := batch(id, "h1")
		inv := &b.Items[0].Invocation
		inv.Type, inv.Host.User = installer.SetRemoteInstaller, user
		b.Items[0].Credentials = creds
		submit(t, s, b)
		finish(t, s, claim(t, s, t0, ""), installer.Succeeded)
	}
	set("B1", "root", installer.Credentials{Login: installer.Login{Password: installer.NewSecret("one")}})
	require.Equal(t, 1, keyCount(s))
	set("B2", "admin", installer.Credentials{})
	assert.Zero(t, keyCount(s))
	assert.Zero(t, rows(t, s, inventory.TSealed))
}
