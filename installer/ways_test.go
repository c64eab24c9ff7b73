package installer_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"tripod/installer"
)

func TestThroughSame(t *testing.T) {
	t.Parallel()
	named := func(ids ...string) *installer.Through {
		var through installer.Through
		for _, id := range ids {
			through.Named = append(through.Named, installer.NamedInstaller{ID: id})
		}
		return &through
	}
	setUp := &installer.Through{Named: []installer.NamedInstaller{{ID: "a", SetUp: true}}}
	for _, tc := range []struct {
		a, b *installer.Through
		same bool
	}{
		{nil, nil, true}, {nil, named(), false}, {named(), nil, false}, {named(), named(), true},
		{named(), named("a"), false}, {named("a"), named("a"), true}, {named("a"), setUp, true},
		{named("a", "b"), named("b", "a"), false},
	} {
		assert.Equal(t, tc.same, tc.a.Same(tc.b), "%v %v", tc.a, tc.b)
		one := installer.Host{Endpoint: installer.Endpoint{Address: "10.0.0.1", Port: 22}, Through: tc.a}
		other := one
		other.Through = tc.b
		assert.Equal(t, tc.same, one.SameMachine(other))
		assert.Equal(t, tc.same, one.SameWay(other), "a kept login goes its own way only")
	}
}

func TestLoginOfAWay(t *testing.T) {
	t.Parallel()
	hop := func(address, user, pin string) installer.Endpoint {
		return installer.Endpoint{Address: address, Port: 22, User: user, HostKey: pin}
	}
	login := func(s string) installer.Login { return installer.Login{Password: installer.NewSecret(s)} }
	a, b := hop("10.0.0.1", "ops", ""), hop("10.0.0.2", "root", "SHA256:b")
	way := installer.Way{Hops: []installer.Endpoint{a, b}, Logins: []installer.Login{login("a"), login("b")}}
	ways := []installer.Way{{Fail: installer.Fail(installer.KindCredentialMissing, "gone")}, way}
	for _, tc := range []struct {
		hops []installer.Endpoint
		want string
	}{
		{nil, ""},
		{[]installer.Endpoint{a, b}, "b"},
		{[]installer.Endpoint{b}, ""},    // at the same address, perhaps in another network
		{[]installer.Endpoint{a}, ""},    // no way ends there
		{[]installer.Endpoint{b, a}, ""}, // another machine
		{[]installer.Endpoint{a, hop("10.0.0.2", "eve", "SHA256:b")}, ""},
		{[]installer.Endpoint{a, hop("10.0.0.2", "root", "")}, ""}, // it would go to whatever key is shown
	} {
		got, found := installer.LoginOf(ways, tc.hops)
		assert.Equal(t, tc.want, got.Password.Reveal())
		assert.Equal(t, tc.want != "", found)
	}

	before := way.To(hop("10.0.0.2", "another", ""))
	assert.Equal(t, []installer.Endpoint{a}, before.Hops, "a hop is reached as it is on the way to others")
	assert.Len(t, before.Logins, 1)
	assert.Empty(t, way.To(a).Hops)
	assert.Len(t, way.To(hop("10.0.0.3", "root", "")).Hops, 2)
}
