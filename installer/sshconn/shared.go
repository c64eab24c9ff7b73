package sshconn

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"tripod/installer"
)

// How long an unused connection to an installer is kept, and how long a
// failure to get one holds for all who want it. A refused login must not be
// tried again for each target: accounts lock. Other failures are remembered
// just long enough that a queue of targets does not wait for each in turn.
const (
	installerIdle    = 20 * time.Second
	rejectionHolds   = time.Minute
	otherFailureHold = 2 * time.Second
)

// shared is the connection to one installer, for all targets of one project
// that go the same way with the same logins. Fields below ready are set before
// it is closed; the others belong to Dialer.mu.
type shared struct {
	d     *Dialer
	key   string
	name  string // user@host:port
	slots chan struct{}

	refs   int
	idle   *time.Timer
	cancel context.CancelFunc // of the dial

	ready chan struct{}
	conn  *Conn
	fail  *installer.Failure
	at    time.Time // when it failed
}

// sharedKey holds no secret: the logins are in it as a keyed hash.
func (d *Dialer) sharedKey(project string, hops []installer.Endpoint, logins []installer.Login, policy installer.HostKeyPolicy) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%q %q", project, policy)
	secrets := make([]string, 0, 3*len(logins))
	for i, h := range hops {
		fmt.Fprintf(&b, " %q %q %q", h.User, h.HostPort(), h.HostKey)
		l := logins[i]
		secrets = append(secrets, l.Password.Reveal(), l.PrivateKey.Reveal(), l.Passphrase.Reveal())
	}
	sum := d.signers.hash(secrets...)
	return b.String() + " " + hex.EncodeToString(sum[:])
}

// acquire returns the live connection to the last of hops, dialling it once
// for all who wait for it. The caller releases it.
func (d *Dialer) acquire(ctx context.Context, project string, hops []installer.Endpoint, logins []installer.Login, policy installer.HostKeyPolicy) (*shared, *installer.Failure) {
	key := d.sharedKey(project, hops, logins, policy)
	for {
		s, fail := d.join(key, project, hops, logins, policy)
		if fail != nil {
			return nil, fail
		}
		select {
		case <-s.ready:
		case <-ctx.Done():
			s.release()
			return nil, ctxFailure(ctx, "while connecting to installer "+s.name)
		}
		if s.fail == nil && s.conn.alive() {
			return s, nil
		}
		s.release()
		if s.fail != nil {
			f := *s.fail // callers add to theirs
			return nil, &f
		}
	}
}

// join takes a reference on the connection for key, and begins a new dial if
// there is none that can be used.
func (d *Dialer) join(key, project string, hops []installer.Endpoint, logins []installer.Login, policy installer.HostKeyPolicy) (*shared, *installer.Failure) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, failf(installer.KindCanceled, nil, "the connections are closed")
	}
	d.dropFailed()
	if s := d.installers[key]; s != nil && s.usable() {
		s.take()
		return s, nil
	}
	last := len(hops) - 1
	s := &shared{
		d: d, key: key,
		name:  hops[last].User + "@" + hops[last].HostPort(),
		slots: make(chan struct{}, d.cfg.HandshakesPerInstaller),
		ready: make(chan struct{}),
	}
	ctx, cancel := context.WithCancel(d.ctx)
	s.cancel = cancel
	s.take()
	d.installers[key] = s
	d.wg.Go(func() {
		defer close(s.ready)
		defer cancel()
		host := installer.Host{Endpoint: hops[last], Via: hops[:last]}
		creds := installer.Credentials{Login: logins[last], Via: logins[:last]}
		c, fail := d.dial(ctx, project, host, creds, policy)
		if fail != nil {
			if !strings.HasPrefix(fail.Detail, "installer ") { // else it was an earlier hop
				fail = atInstaller(s.name, fail)
			}
			s.fail, s.at = fail, d.cfg.Clock()
			return
		}
		c.watch() // for as long as it is shared: targets wait on it
		s.conn = c
	})
	return s, nil
}

// usable: still being dialled, alive, or failed so lately that it is not tried
// again. Under Dialer.mu.
func (s *shared) usable() bool {
	select {
	case <-s.ready:
	default:
		return true
	}
	if s.fail == nil {
		return s.conn.alive()
	}
	return s.d.cfg.Clock().Sub(s.at) < s.holds()
}

// failed: it is known that there is no connection. Under Dialer.mu.
func (s *shared) failed() bool {
	select {
	case <-s.ready:
		return s.fail != nil
	default:
		return false
	}
}

func (s *shared) holds() time.Duration {
	if s.fail.Kind.Info().Tries == 1 {
		return rejectionHolds
	}
	return otherFailureHold
}

// dropFailed forgets failures that no longer hold, and dead connections that
// nobody uses. Under Dialer.mu.
func (d *Dialer) dropFailed() {
	for key, s := range d.installers {
		if s.refs > 0 || s.usable() {
			continue
		}
		delete(d.installers, key)
		if s.fail == nil {
			s.stopIdle()
			go s.close() // takes Dialer.mu for the installers before it
		}
	}
}

// take adds a reference. Under Dialer.mu.
func (s *shared) take() {
	s.refs++
	s.stopIdle()
}

// stopIdle takes back a planned close. Under Dialer.mu.
func (s *shared) stopIdle() {
	if s.idle != nil {
		s.idle.Stop()
		s.idle = nil
	}
}

// release gives a reference back. The last one has the connection closed after
// a short time, or the dial ended.
func (s *shared) release() {
	d := s.d
	d.mu.Lock()
	s.refs--
	if s.refs > 0 {
		d.mu.Unlock()
		return
	}
	select {
	case <-s.ready:
	default: // nobody waits for the dial any more
		if d.installers[s.key] == s {
			delete(d.installers, s.key)
		}
		d.mu.Unlock()
		s.cancel()
		go s.closeWhenReady()
		return
	}
	if s.fail != nil {
		d.mu.Unlock()
		return // kept in the map for as long as it holds
	}
	if d.closed || d.installers[s.key] != s || !s.conn.alive() {
		if d.installers[s.key] == s {
			delete(d.installers, s.key)
		}
		d.mu.Unlock()
		s.close()
		return
	}
	s.idle = time.AfterFunc(installerIdle, s.expire)
	d.mu.Unlock()
}

// expire closes the connection if nobody has taken it since.
func (s *shared) expire() {
	d := s.d
	d.mu.Lock()
	if s.refs > 0 || s.idle == nil || d.installers[s.key] != s {
		d.mu.Unlock()
		return
	}
	s.idle = nil
	delete(d.installers, s.key)
	d.mu.Unlock()
	s.close()
}

// closeWhenReady closes what a dial brings that nobody wants. The dial's
// context is canceled, so this is soon.
func (s *shared) closeWhenReady() {
	<-s.ready
	if s.conn != nil {
		s.close()
	}
}

func (s *shared) close() {
	s.conn.unwatch()
	_ = s.conn.Close()
}
