package installer_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"tripod/installer"
)

func TestRouteChoiceSame(t *testing.T) {
	t.Parallel()
	named := func(ids ...string) *installer.RouteChoice {
		var through installer.RouteChoice
		for _, id := range ids {
			through.Named = append(through.Named, installer.NamedJumpHost{ID: id})
		}
		return &through
	}
	setUp := &installer.RouteChoice{Named: []installer.NamedJumpHost{{ID: "a", SetUp: true}}}
	for _, tc := range []struct {
		a, b *installer.RouteChoice
		same bool
	}{
		{nil, nil, true}, {nil, named(), false}, {named(), nil, false}, {named(), named(), true},
		{named(), named("a"), false}, {named("a"), named("a"), true}, {named("a"), setUp, true},
		{named("a", "b"), named("b", "a"), false},
	} {
		assert.Equal(t, tc.same, tc.a.Same(tc.b), "%v %v", tc.a, tc.b)
		one := installer.Host{Endpoint: installer.Endpoint{Address: "10.0.0.1", Port: 22}, RouteChoice: tc.a}
		other := one
		other.RouteChoice = tc.b
		assert.Equal(t, tc.same, one.SameMachine(other))
		assert.Equal(t, tc.same, one.SameRoute(other), "a kept login goes its own way only")
	}
}

func TestHopLogin(t *testing.T) {
	t.Parallel()
	hop := func(address, user, pin string) installer.Endpoint {
		return installer.Endpoint{Address: address, Port: 22, User: user, HostKey: pin}
	}
	login := func(s string) installer.Login { return installer.Login{Password: installer.NewSecret(s)} }
	a, b := hop("10.0.0.1", "ops", ""), hop("10.0.0.2", "root", "SHA256:b")
	route := installer.Route{Hops: []installer.Endpoint{a, b}, Logins: []installer.Login{login("a"), login("b")}}
	routes := []installer.Route{{Fail: installer.Fail(installer.KindCredentialMissing, "gone")}, route}
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
		got, found := installer.HopLogin(routes, tc.hops)
		assert.Equal(t, tc.want, got.Password.Reveal())
		assert.Equal(t, tc.want != "", found)
	}

	before := route.To(hop("10.0.0.2", "another", ""))
	assert.Equal(t, []installer.Endpoint{a}, before.Hops, "a hop is reached as it is on the way to others")
	assert.Len(t, before.Logins, 1)
	assert.Empty(t, route.To(a).Hops)
	assert.Len(t, route.To(hop("10.0.0.3", "root", "")).Hops, 2)
}
