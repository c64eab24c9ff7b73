package sshdial

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"tripod/installer"
	"tripod/installer/sshconn"
)

const jumpHostIdle = 20 * time.Second // of an unused connection

// sharedConn is the connection to one jump host, for all targets of one project
// that have the same route with the same logins. Fields below ready are set before
// it is closed; the others belong to Dialer.mu.
type sharedConn struct {
	d          *Dialer
	key        string
	name       string        // user@host:port
	handshakes chan struct{} // a slot for each at a time

	refs   int
	idle   *time.Timer
	cancel context.CancelFunc // of the dial

	ready chan struct{}
	conn  *Conn
	fail  *installer.Failure
}

// routeKey identifies a route; of its logins it holds a keyed hash only.
func (d *Dialer) routeKey(project string, route installer.Route, policy installer.HostKeyPolicy) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%q %q", project, policy)
	secrets := make([]string, 0, 3*len(route.Logins))
	for i, h := range route.Hops {
		fmt.Fprintf(&b, " %q %q %q", h.User, h.HostPort(), h.HostKey)
		l := route.Logins[i]
		secrets = append(secrets, l.Password.Reveal(), l.PrivateKey.Reveal(), l.Passphrase.Reveal())
	}
	sum := d.signers.hash(secrets...)
	return b.String() + " " + hex.EncodeToString(sum[:])
}

// acquire dials the last hop of a route once for all who wait. The caller releases it.
func (d *Dialer) acquire(ctx context.Context, project string, route installer.Route, policy installer.HostKeyPolicy) (*sharedConn, *installer.Failure) {
	key := d.routeKey(project, route, policy)
	for {
		s, fail := d.join(key, project, route, policy)
		if fail != nil {
			return nil, fail
		}
		select {
		case <-s.ready:
		case <-ctx.Done():
			s.release()
			return nil, sshconn.ContextFailure(ctx, "while connecting to jump host "+s.name)
		}
		if s.fail == nil && !s.conn.Broken() {
			return s, nil
		}
		s.release()
		if s.fail != nil {
			f := *s.fail // callers add to theirs
			return nil, &f
		}
	}
}

func (d *Dialer) join(key, project string, route installer.Route, policy installer.HostKeyPolicy) (*sharedConn, *installer.Failure) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, sshconn.Failf(installer.KindCanceled, nil, "the connections are closed")
	}
	if s := d.jumpHosts[key]; s != nil {
		if s.usable() {
			s.retain()
			return s, nil
		}
		if s.refs == 0 {
			go s.end()
		}
	}
	if fail := d.breaker.recent(key); fail != nil {
		return nil, fail
	}
	last := len(route.Hops) - 1
	jumpHost := route.Hops[last]
	s := &sharedConn{
		d: d, key: key,
		name:       jumpHost.User + "@" + jumpHost.HostPort(),
		handshakes: make(chan struct{}, d.handshakes),
		ready:      make(chan struct{}),
	}
	ctx, cancel := context.WithCancel(d.ctx)
	s.cancel = cancel
	s.retain()
	d.jumpHosts[key] = s
	d.wg.Go(func() {
		defer close(s.ready)
		defer cancel()
		h := d.newHandshake(project, jumpHost, route.Logins[last], policy)
		c, fail, cause := d.dialRoute(ctx, h, installer.Route{Hops: route.Hops[:last], Logins: route.Logins[:last]})
		if fail != nil {
			if cause == faultTarget || cause == faultInput { // else it names an earlier hop
				fail = onJumpHost(s.name, fail)
			}
			s.fail = fail
			if ctx.Err() == nil { // else nobody waits for it any more
				d.breaker.failed(key, fail)
			}
			return
		}
		d.noteReached(project, route, policy)
		c.StartKeepalive() // for as long as it is shared: targets wait on it
		s.conn = c
	})
	return s, nil
}

func (s *sharedConn) dialling() bool {
	select {
	case <-s.ready:
		return false
	default:
		return true
	}
}

func (s *sharedConn) usable() bool { return s.dialling() || s.fail == nil && !s.conn.Broken() }

// retain adds a reference. Under Dialer.mu.
func (s *sharedConn) retain() {
	s.refs++
	if s.idle != nil {
		s.idle.Stop()
	}
}

// release drops a reference. After the last one the connection is closed a
// little later; one that cannot be used any more, or is still being dialled, at once.
func (s *sharedConn) release() {
	d := s.d
	d.mu.Lock()
	defer d.mu.Unlock()
	if s.refs--; s.refs > 0 {
		return
	}
	if s.usable() && !s.dialling() && !d.closed && d.jumpHosts[s.key] == s {
		s.idle = time.AfterFunc(jumpHostIdle, s.expire)
		return
	}
	s.forget()
}

func (s *sharedConn) expire() {
	s.d.mu.Lock()
	defer s.d.mu.Unlock()
	if s.refs == 0 {
		s.forget()
	}
}

// forget ends the connection. Under Dialer.mu, which the jump hosts before it need
// too, hence the goroutine.
func (s *sharedConn) forget() {
	if s.d.jumpHosts[s.key] == s {
		delete(s.d.jumpHosts, s.key)
	}
	go s.end()
}

func (s *sharedConn) end() {
	s.cancel()
	<-s.ready
	if s.conn != nil {
		s.conn.StopKeepalive()
		_ = s.conn.Close()
	}
}
