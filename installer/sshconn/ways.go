package sshconn

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tripod/installer"
)

// dialThroughAny connects to a host by the first installer that can be used. An
// installer that could not lately is passed over, so that not every host waits
// for it in turn; if no other one is left, it is asked once more. What goes wrong
// at the target behind an installer is the target's failure, and final.
func (d *Dialer) dialThroughAny(ctx context.Context, project string, host installer.Host, login installer.Login, policy installer.HostKeyPolicy) (*Conn, *installer.Failure) {
	s, fail := d.search(ctx, project, host, login, policy)
	if fail != nil {
		return nil, fail
	}
	for _, lastResort := range []bool{false, true} {
		for i := range s.ways {
			w := &s.ways[i]
			if w.done || !d.unwell.may(w.key, lastResort) {
				continue
			}
			c, fail, over := s.try(ctx, w)
			if over {
				return c, fail
			}
		}
	}
	return nil, s.none()
}

// search is the dial of one host that goes through some installer.
type search struct {
	d       *Dialer
	project string
	host    installer.Host
	login   installer.Login
	policy  installer.HostKeyPolicy
	ways    []triedWay
}

// triedWay is a way, and what has become of it in this dial.
type triedWay struct {
	installer.Way
	name string // of the installer
	key  string
	done bool // it need not be tried (again)
	fail *installer.Failure
}

// search finds the ways there are now.
func (d *Dialer) search(ctx context.Context, project string, host installer.Host, login installer.Login, policy installer.HostKeyPolicy) (*search, *installer.Failure) {
	s := &search{d: d, project: project, host: host, login: login, policy: policy}
	if d.cfg.Ways == nil {
		return nil, failf(installer.KindInternal, nil, "no installers are known here")
	}
	ways, err := d.cfg.Ways.Ways(ctx, project, *host.Through)
	switch {
	case ctx.Err() != nil:
		return nil, ctxFailure(ctx, "while looking for an installer")
	case err != nil:
		return nil, failf(installer.KindInternal, err, "the installers of the project cannot be read")
	case len(ways) == 0:
		return nil, failf(installer.KindUnreachable, nil, "%s is to be reached through the project's installers, and the project has none any more: set one, or import the host with its own way", host.HostPort())
	}
	seen := map[string]bool{}
	for _, way := range ways {
		w := triedWay{Way: way.To(host.Endpoint), name: "installer " + way.Installer, fail: way.Fail, done: way.Fail != nil}
		if !w.done {
			w.name = wayName(way)
			w.key = d.sharedKey(project, w.Hops, w.Logins, policy)
			w.done = seen[w.key] // two installers, and one way to this host
			if w.done {
				continue
			}
			seen[w.key] = true
		}
		s.ways = append(s.ways, w)
	}
	return s, nil
}

func wayName(w installer.Way) string {
	last := w.Hops[len(w.Hops)-1]
	return "installer " + last.User + "@" + last.HostPort()
}

// try dials by one way. over: that is the result of the whole dial.
func (s *search) try(ctx context.Context, w *triedWay) (c *Conn, fail *installer.Failure, over bool) {
	at := s.d.attempt(s.project, installer.Host{Endpoint: s.host.Endpoint, Via: w.Hops}, s.login, s.policy)
	c, fail, fault := s.d.reach(ctx, at, w.Way)
	switch {
	case fail == nil:
		s.d.unwell.well(w.key)
		return c, nil, true
	case ctx.Err() != nil || fail.Kind == installer.KindCanceled || fault == nobodys:
		s.d.unwell.unknown(w.key)
		return nil, fail, true
	case fault == theTargets:
		s.d.unwell.well(w.key) // it leads there
		return nil, fail, true
	case fault == theInstallers:
		s.d.unwell.failed(w.key, fail)
	default:
		s.d.unwell.well(w.key)
	}
	w.done, w.fail = true, fail
	s.d.log.Warn("installer passed over", "project", s.project, "installer", w.name, "target", s.host.HostPort(), "kind", fail.Kind, "why", fail.Detail)
	return nil, nil, false
}

// hopLogins are the logins of the hops to a host, those that are not given looked
// up: they are the project's installers'.
func (d *Dialer) hopLogins(ctx context.Context, project string, hops []installer.Endpoint, given []installer.Login) ([]installer.Login, *installer.Failure) {
	given = given[:len(hops)]
	if d.cfg.Ways == nil || !slices.ContainsFunc(given, installer.Login.IsZero) {
		return given, nil
	}
	ways, err := d.cfg.Ways.Ways(ctx, project, installer.Through{})
	if err != nil {
		return nil, failf(installer.KindInternal, err, "the installers of the project cannot be read")
	}
	logins := slices.Clone(given)
	for i := range logins {
		if !logins[i].IsZero() {
			continue
		}
		var found bool
		if logins[i], found = installer.LoginOf(ways, hops[:i+1]); !found {
			return nil, failf(installer.KindCredentialMissing, nil, "installer %s@%s: it is none of the project's any more, or nothing is kept for it", hops[i].User, hops[i].HostPort())
		}
	}
	return logins, nil
}

// wellAgain is told that a host was reached: if it is an installer that was passed
// over, it need not be any longer.
func (d *Dialer) wellAgain(project string, hops []installer.Endpoint, logins []installer.Login, policy installer.HostKeyPolicy) {
	if !d.unwell.any() {
		return
	}
	key := d.sharedKey(project, hops, logins, policy)
	d.unwell.well(key)
	d.mu.Lock()
	defer d.mu.Unlock()
	if s := d.installers[key]; s != nil && s.refs == 0 && s.failed() {
		delete(d.installers, key)
	}
}

// none says that no installer can be used, and why: the kind is that of the first
// one for which another try may help, so that there is one.
func (s *search) none() *installer.Failure {
	var first *installer.Failure
	whys := make([]string, 0, len(s.ways))
	var causes []error
	for i := range s.ways {
		w := &s.ways[i]
		fail, ago := w.fail, ""
		if fail == nil {
			fail, ago = s.d.unwell.why(w.key)
		}
		if fail == nil {
			continue // well again this moment: the next try finds it so
		}
		if first == nil || first.Kind.Info().Tries == 1 && fail.Kind.Info().Tries > 1 {
			first = fail
		}
		why := fail.Detail
		if !strings.HasPrefix(why, "installer ") {
			why = w.name + ": " + why
		}
		whys = append(whys, fmt.Sprintf("%s (%s%s)", why, fail.Kind, ago))
		causes = append(causes, fail)
	}
	if first == nil {
		return failf(installer.KindUnreachable, nil, "no installer could be used this moment")
	}
	what := "the installer cannot be used: "
	if len(s.ways) > 1 {
		what = fmt.Sprintf("none of %d installers can be used: ", len(s.ways))
	}
	return failf(first.Kind, errors.Join(causes...), "%s%s", what, strings.Join(whys, "; "))
}
