package sshdial

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/sshtest"
)

// routesOf are a project's routes, and a clock that only a test moves.
type routesOf struct {
	mu     sync.Mutex
	routes []installer.Route
	now    time.Time
	err    error
}

func (w *routesOf) Routes(_ context.Context, project string, _ installer.RouteChoice) ([]installer.Route, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if project != "p" {
		return nil, nil
	}
	return w.routes, w.err
}

func (w *routesOf) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *routesOf) later(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// dialThrough is a target behind jump hosts: the i-th one's password is "hop<i>".
func dialThrough(t *testing.T, target *sshtest.Server, hops ...*sshtest.Server) (*routesOf, *Dialer, func() (*Conn, error)) {
	t.Helper()
	w := &routesOf{now: time.Unix(1_800_000_000, 0)}
	for i, h := range hops {
		w.routes = append(w.routes, installer.Route{
			JumpHost: "i-" + strconv.Itoa(i),
			Hops:     []installer.Endpoint{h.Endpoint("hop")},
			Logins:   []installer.Login{secret("hop" + strconv.Itoa(i))},
		})
	}
	limits := long()
	d := newDialer(t, Config{Routes: w, Limits: limits})
	d.breaker.clock = w.clock
	host, creds := root(target)
	host.RouteChoice = &installer.RouteChoice{}
	return w, d, func() (*Conn, error) {
		c, err := d.Dial(t.Context(), "p", host, creds, installer.AcceptNew, nil)
		if c != nil {
			t.Cleanup(func() { _ = c.Close() })
		}
		return c, err
	}
}

func hopServer(t *testing.T, i int, change ...func(*sshtest.Config)) *sshtest.Server {
	t.Helper()
	cfg := sshtest.Config{Users: user("hop", "hop"+strconv.Itoa(i))}
	for _, f := range change {
		f(&cfg)
	}
	return sshtest.Start(t, cfg)
}

func deny(c *sshtest.Config) { c.Forwarding = sshtest.Forwarding{Denied: true} }

// used requires that the connection goes by this jump host.
func used(t *testing.T, hop *sshtest.Server, dial func() (*Conn, error)) {
	t.Helper()
	c, err := dial()
	require.NoError(t, err)
	require.Equal(t, []installer.Endpoint{hop.Endpoint("hop")}, c.JumpHosts())
	require.NoError(t, c.Close())
}

func TestFirstWorkingJumpHostIsUsed(t *testing.T) {
	t.Parallel()
	a, b, target := hopServer(t, 0), hopServer(t, 1), sshtest.Start(t, sshtest.Config{})
	w, _, dial := dialThrough(t, target, a, b)
	a.Stop()
	used(t, b, dial)

	// It is not asked again for a while, though it would answer.
	require.NoError(t, a.Resume())
	asked := a.Counts().Connections
	used(t, b, dial)
	w.later(failedHold - time.Second)
	used(t, b, dial)
	require.Equal(t, asked, a.Counts().Connections)
	w.later(time.Second)
	used(t, a, dial)

	// One that goes away while it is in use costs nothing.
	a.Stop()
	a.DropAll()
	used(t, b, dial)
}

// TestDeadJumpHostIsTriedOnce, and not once for each host.
func TestDeadJumpHostIsTriedOnce(t *testing.T) {
	t.Parallel()
	a, b, target := hopServer(t, 0), hopServer(t, 1), sshtest.Start(t, sshtest.Config{})
	_, _, dial := dialThrough(t, target, a, b)
	a.Inject(sshtest.Fault{Stage: sshtest.Version, Action: sshtest.Stall})
	var wg sync.WaitGroup
	wg.Go(func() { // in place of a time limit
		assert.NoError(t, a.Wait(t.Context(), func(c sshtest.Counts) bool { return c.Connections > 0 }))
		a.DropAll()
	})
	for range 20 {
		wg.Go(func() {
			for range 3 {
				c, err := dial()
				if assert.NoError(t, err) {
					assert.Equal(t, b.Endpoint("hop"), c.JumpHosts()[0])
					assert.NoError(t, c.Close())
				}
			}
		})
	}
	wg.Wait()
	assert.Equal(t, 1, a.Counts().Connections)
}

// TestOneTriesAndOthersPassOver: when the hold of one that failed is over, one dial
// tries it, and the others do not wait for that.
func TestOneTriesAndOthersPassOver(t *testing.T) {
	t.Parallel()
	a, b, target := hopServer(t, 0), hopServer(t, 1), sshtest.Start(t, sshtest.Config{})
	w, _, dial := dialThrough(t, target, a, b)
	a.Stop()
	used(t, b, dial)
	remove := a.Inject(sshtest.Fault{Stage: sshtest.Auth, Action: sshtest.Stall})
	require.NoError(t, a.Resume())
	w.later(failedHold)
	var wg sync.WaitGroup
	wg.Go(func() {
		c, err := dial()
		if assert.NoError(t, err) {
			assert.Equal(t, a.Endpoint("hop"), c.JumpHosts()[0])
		}
	})
	require.NoError(t, a.Wait(t.Context(), func(c sshtest.Counts) bool { return c.Connections > 0 }))
	used(t, b, dial)
	remove()
	wg.Wait()
	used(t, a, dial)
}

// TestFailedJumpHostIsPassedOver: for whatever reason, the next one is used.
func TestFailedJumpHostIsPassedOver(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		server func(*sshtest.Config)
		route  func(*installer.Route)
		kind   installer.Kind
	}{
		"login refused":    {route: func(w *installer.Route) { w.Logins[0] = secret("wrong") }, kind: installer.KindAuthRejected},
		"forwards nothing": {server: deny, kind: installer.KindChannelDenied},
		"another host key": {route: func(w *installer.Route) { w.Hops[0].HostKey = "SHA256:" + fmt.Sprintf("%043d", 0) }, kind: installer.KindHostKeyChanged},
		"no credentials": {route: func(w *installer.Route) {
			*w = installer.Route{JumpHost: w.JumpHost, Fail: installer.Fail(installer.KindCredentialMissing, "jump host i-0: no login is kept")}
		}, kind: installer.KindCredentialMissing},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var change []func(*sshtest.Config)
			if tc.server != nil {
				change = append(change, tc.server)
			}
			a, b, target := hopServer(t, 0, change...), hopServer(t, 1), sshtest.Start(t, sshtest.Config{})
			w, _, dial := dialThrough(t, target, a, b)
			if tc.route != nil {
				tc.route(&w.routes[0])
			}
			used(t, b, dial)

			// Without a second one it is told what is wrong.
			w.routes = w.routes[:1]
			_, err := dial()
			f := kind(t, tc.kind, err)
			assert.Contains(t, f.Detail, "the jump host cannot be used: ")
			assert.LessOrEqual(t, len(a.Counts().Passwords), 1, "a refused login is not sent again")
		})
	}
}

// TestNoJumpHostWorks: all are named, and another try may help.
func TestNoJumpHostWorks(t *testing.T) {
	t.Parallel()
	a, b, target := hopServer(t, 0), hopServer(t, 1), sshtest.Start(t, sshtest.Config{})
	w, _, dial := dialThrough(t, target, a, b)
	w.routes[0].Logins[0] = secret("wrong")
	b.Stop()
	_, err := dial()
	f := kind(t, installer.KindRefused, err)
	for _, want := range []string{"none of 2 jump hosts", "hop@" + a.Addr(), string(installer.KindAuthRejected), "hop@" + b.Addr(), "connection refused"} {
		assert.Contains(t, f.Detail, want)
	}
	assert.Greater(t, f.Kind.Info().Tries, 1)
	assert.True(t, f.JumpHost)
	require.ErrorAs(t, f.Err, new(*installer.Failure))

	// All who come now are told at once; a little later it is asked again.
	require.NoError(t, b.Resume())
	_, err = dial()
	assert.Contains(t, kind(t, installer.KindRefused, err).Detail, "0s ago")
	w.later(lastResortHold)
	used(t, b, dial)
	assert.Equal(t, []string{"wrong"}, a.Counts().Passwords, "a refused login is sent once")

	w.routes = nil
	_, err = dial()
	assert.Contains(t, kind(t, installer.KindUnreachable, err).Detail, "the project has none any more")
	w.err = assert.AnError
	_, err = dial()
	kind(t, installer.KindInternal, err)
}

// TestTargetFailureIsFinal: nothing else is tried, and the jump host
// is not passed over afterwards.
func TestTargetFailureIsFinal(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		target sshtest.Config
		change func(*sshtest.Server, *installer.Host, *installer.Credentials)
		kind   installer.Kind
	}{
		"nothing listens": {change: func(s *sshtest.Server, _ *installer.Host, _ *installer.Credentials) { s.Stop() }, kind: installer.KindRefused},
		"wrong password": {change: func(_ *sshtest.Server, _ *installer.Host, c *installer.Credentials) { c.Login = secret("no") },
			kind: installer.KindAuthRejected},
		"another host key": {change: func(_ *sshtest.Server, h *installer.Host, _ *installer.Credentials) {
			h.HostKey = "SHA256:" + fmt.Sprintf("%043d", 0)
		}, kind: installer.KindHostKeyChanged},
		"throttled": {target: sshtest.Config{Faults: []sshtest.Fault{{Stage: sshtest.Accept, Action: sshtest.Drop}}}, kind: installer.KindThrottled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b, target, other := hopServer(t, 0), hopServer(t, 1), sshtest.Start(t, tc.target), sshtest.Start(t, sshtest.Config{})
			_, d, _ := dialThrough(t, target, a, b)
			host, creds := root(target)
			host.RouteChoice = &installer.RouteChoice{}
			if tc.change != nil {
				tc.change(target, &host, &creds)
			}
			_, err := d.Dial(t.Context(), "p", host, creds, installer.AcceptNew, nil)
			kind(t, tc.kind, err)
			assert.Zero(t, b.Counts().Connections)
			host, creds = root(other)
			host.RouteChoice = &installer.RouteChoice{}
			used(t, a, func() (*Conn, error) { return d.Dial(t.Context(), "p", host, creds, installer.AcceptNew, nil) })
		})
	}
}

// TestLoginGoesToItsOwnJumpHostOnly: whatever fails, no server is sent the
// login of another one.
func TestLoginGoesToItsOwnJumpHostOnly(t *testing.T) {
	t.Parallel()
	servers := []*sshtest.Server{hopServer(t, 0, deny), hopServer(t, 1), hopServer(t, 2)}
	target := sshtest.Start(t, sshtest.Config{Users: user("root", "the target's")})
	w, d, dial := dialThrough(t, target, servers...)
	// The third is behind the second.
	w.routes[2].Hops = append(w.routes[1].Hops[:1:1], w.routes[2].Hops...)
	w.routes[2].Logins = append(w.routes[1].Logins[:1:1], w.routes[2].Logins...)
	own := func() {
		t.Helper()
		for i, s := range servers {
			for _, got := range s.Counts().Passwords {
				require.Equal(t, "hop"+strconv.Itoa(i), got)
			}
		}
		for _, got := range target.Counts().Passwords {
			require.Equal(t, "the target's", got)
		}
	}
	used(t, servers[1], dial) // the first forwards nothing
	own()
	w.routes = []installer.Route{w.routes[0], w.routes[2]}
	c, err := dial()
	require.NoError(t, err)
	require.Len(t, c.JumpHosts(), 2)
	own()
	for _, s := range servers {
		require.NotEmpty(t, s.Counts().Passwords, "the test is worth something")
	}

	// Of a target that is a jump host itself, only the part before it is gone.
	for i, s := range servers[1:] {
		host := installer.Host{Endpoint: s.Endpoint("hop"), RouteChoice: &installer.RouteChoice{}}
		w.routes = w.routes[1:2:2]
		c, err := d.Dial(t.Context(), "p", host, installer.Credentials{Login: secret("hop" + strconv.Itoa(i+1))}, installer.AcceptNew, nil)
		require.NoError(t, err)
		require.NoError(t, c.Close())
		require.Len(t, c.JumpHosts(), i)
		own()
		w.routes = []installer.Route{{}, w.routes[0]}
	}
	_, err = d.Dial(t.Context(), "another", installer.Host{Endpoint: target.Endpoint("root"), RouteChoice: &installer.RouteChoice{}},
		installer.Credentials{Login: secret("the target's")}, installer.AcceptNew, nil)
	assert.Contains(t, kind(t, installer.KindUnreachable, err).Detail, "has none any more", "another project's are not used")
}

// TestOneHostKeyByAllRoutes: the key that a host showed by one route is the one that
// it must show by every other, before a credential is sent (C6), whether the first
// route still exists or not.
func TestOneHostKeyByAllRoutes(t *testing.T) {
	t.Parallel()
	leads := func(to *sshtest.Server) func(*sshtest.Config) {
		return func(c *sshtest.Config) {
			c.Forwarding.Names = map[string]string{"closed.example:22": to.Addr()}
		}
	}
	real, impostor := sshtest.Start(t, sshtest.Config{}), sshtest.Start(t, sshtest.Config{})
	a, b := hopServer(t, 0, leads(real)), hopServer(t, 1, leads(impostor))
	_, creds := root(real)
	closed := installer.Endpoint{Address: "closed.example", Port: 22, User: "root"}
	by := func(hops ...*sshtest.Server) (installer.Host, installer.Credentials) {
		host, creds := behind(real, hops...)
		host.Endpoint = closed
		return host, creds
	}
	chosen := installer.Host{Endpoint: closed, RouteChoice: &installer.RouteChoice{}}
	for name, second := range map[string]func(w *routesOf) (installer.Host, installer.Credentials){
		"the second one first": func(w *routesOf) (installer.Host, installer.Credentials) {
			w.routes[0], w.routes[1] = w.routes[1], w.routes[0]
			return chosen, creds
		},
		"the second one alone": func(w *routesOf) (installer.Host, installer.Credentials) {
			w.routes = w.routes[1:]
			return chosen, creds
		},
		"by a route of its own": func(*routesOf) (installer.Host, installer.Credentials) {
			host, creds := by(b)
			creds.Via[0] = secret("hop1")
			return host, creds
		},
		"behind both": func(*routesOf) (installer.Host, installer.Credentials) { return by(a, b) },
	} {
		for _, policy := range []installer.HostKeyPolicy{installer.AcceptNew, installer.Strict} {
			t.Run(name+", "+string(policy), func(t *testing.T) {
				t.Parallel()
				w, d, _ := dialThrough(t, real, a, b)
				c, err := d.Dial(t.Context(), "p", chosen, creds, installer.AcceptNew, nil)
				require.NoError(t, err)
				require.NoError(t, c.Close())
				require.NoError(t, d.cfg.HostKeys.PinKey(t.Context(), "p", b.Addr(), b.HostKey())) // for Strict
				host, creds := second(w)
				_, err = d.Dial(t.Context(), "p", host, creds, policy, nil)
				fail := kind(t, installer.KindHostKeyChanged, err)
				assert.Contains(t, fail.Detail, "closed.example:22 shows ")
				assert.Empty(t, impostor.Counts().Passwords)
			})
		}
	}
}

// TestOneHostKeyOfAJumpHost: a jump host shows the same key behind another one.
func TestOneHostKeyOfAJumpHost(t *testing.T) {
	t.Parallel()
	target, b, impostor := sshtest.Start(t, sshtest.Config{}), hopServer(t, 1), hopServer(t, 1)
	a := hopServer(t, 0, func(c *sshtest.Config) {
		c.Forwarding.Names = map[string]string{b.Addr(): impostor.Addr()}
	})
	d := newDialer(t, Config{})
	direct, creds := behind(target, b)
	creds.Via[0] = secret("hop1")
	c, err := d.Dial(t.Context(), "p", direct, creds, installer.AcceptNew, nil)
	require.NoError(t, err)
	require.NoError(t, c.Close())
	chain, creds := behind(target, a, b)
	_, err = d.Dial(t.Context(), "p", chain, creds, installer.AcceptNew, nil)
	kind(t, installer.KindHostKeyChanged, err)
	assert.Equal(t, 1, impostor.Counts().Connections)
	assert.Empty(t, impostor.Counts().Passwords)
}

// TestLoginsOfHopsAreLookedUp where a route is given without them, and only for a
// hop that is reached as the jump host is.
func TestLoginsOfHopsAreLookedUp(t *testing.T) {
	t.Parallel()
	a, b, target := hopServer(t, 0), hopServer(t, 1), sshtest.Start(t, sshtest.Config{})
	w, d, _ := dialThrough(t, target, a)
	host, creds := behind(target, a, b)
	creds.Via[0] = installer.Login{}
	dial := func() (*Conn, error) { return d.Dial(t.Context(), "p", host, creds, installer.AcceptNew, nil) }
	c, err := dial()
	require.NoError(t, err)
	require.NoError(t, c.Close())
	assert.Equal(t, []string{"hop0"}, a.Counts().Passwords)
	assert.Equal(t, []string{"hop1"}, b.Counts().Passwords)

	host.Via[0], host.Via[1] = host.Via[1], host.Via[0] // another machine, for all that is known
	creds.Via[0], creds.Via[1] = creds.Via[1], creds.Via[0]
	_, err = dial()
	kind(t, installer.KindCredentialMissing, err)
	host.Via[0], host.Via[1] = host.Via[1], host.Via[0]
	creds.Via[0], creds.Via[1] = creds.Via[1], creds.Via[0]
	host.Via[0].HostKey = "SHA256:" + fmt.Sprintf("%043d", 0) // not the jump host's own
	_, err = dial()
	kind(t, installer.KindCredentialMissing, err)
	host.Via[0].HostKey = ""
	w.routes = nil
	_, err = dial()
	assert.Contains(t, kind(t, installer.KindCredentialMissing, err).Detail, "or the project does not use it any more")
}

// TestRepairedJumpHostIsUsedAtOnce: a login on it that succeeds closes its breaker.
func TestRepairedJumpHostIsUsedAtOnce(t *testing.T) {
	t.Parallel()
	a, b, target := hopServer(t, 0), hopServer(t, 1), sshtest.Start(t, sshtest.Config{})
	_, d, dial := dialThrough(t, target, a, b)
	remove := a.Inject(sshtest.Fault{Stage: sshtest.Auth, Action: sshtest.Refuse})
	used(t, b, dial)
	remove()
	used(t, b, dial)
	c, err := d.Dial(t.Context(), "p", installer.Host{Endpoint: a.Endpoint("hop")}, installer.Credentials{Login: secret("hop0")}, installer.AcceptNew, nil)
	require.NoError(t, err)
	require.NoError(t, c.Close())
	used(t, a, dial)
}

// TestBadKeyLeavesTheBreakerOpen: the jump host was not tried.
func TestBadKeyLeavesTheBreakerOpen(t *testing.T) {
	t.Parallel()
	a, b, target := hopServer(t, 0), hopServer(t, 1), sshtest.Start(t, sshtest.Config{})
	w, d, dial := dialThrough(t, target, a, b)
	a.Stop()
	used(t, b, dial)
	w.later(failedHold)
	host, _ := root(target)
	host.RouteChoice = &installer.RouteChoice{}
	_, err := d.Dial(t.Context(), "p", host, installer.Credentials{Login: installer.Login{PrivateKey: installer.NewSecret("no key")}}, installer.AcceptNew, nil)
	require.Error(t, err)
	require.True(t, d.breaker.anyOpen(), "it is open as before")
	w.later(time.Second)
	require.NoError(t, a.Resume())
	used(t, a, dial) // and the next one may ask it
}

// TestSilentJumpHostIsPassedOver within the same attempt: the target is not
// blamed for a dead connection to the jump host, nor a jump host that answers
// for its target.
func TestSilentJumpHostIsPassedOver(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]sshtest.Fault{
		"jump host": {Stage: sshtest.Inbound, Action: sshtest.Stall},
		"target":    {Stage: sshtest.ChannelOpen, Action: sshtest.Stall, Match: "direct-tcpip"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, b, target := hopServer(t, 0), hopServer(t, 1), sshtest.Start(t, sshtest.Config{})
			w, d, dial := dialThrough(t, target, a, b)
			used(t, a, dial)              // its connection stays open
			d.limits.Connect = 12 * short // a slow machine has time to answer
			a.Inject(fault)
			if name == "target" {
				_, err := dial()
				f := kind(t, installer.KindUnreachable, err)
				require.Contains(t, f.Detail, target.Addr()+" from jump host hop@"+a.Addr())
				require.Zero(t, b.Counts().Connections)
				return
			}
			used(t, b, dial)
			d.limits.Connect = time.Minute
			asked := len(a.Counts().Forwards)
			used(t, b, dial)
			require.Len(t, a.Counts().Forwards, asked, "passed over for a while")

			// Where no other is left, it is what the failure names.
			w.mu.Lock()
			w.routes = w.routes[:1]
			w.mu.Unlock()
			d.limits.Connect = 2 * short
			w.later(failedHold)
			_, err := dial()
			f := kind(t, installer.KindUnreachable, err)
			require.Contains(t, f.Detail, "jump host hop@"+a.Addr()+" does not respond any more")
		})
	}
}
