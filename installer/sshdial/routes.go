package sshdial

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tripod/installer"
	"tripod/installer/sshconn"
)

// dialFirstRoute connects to a host through the first jump host that works. One
// that failed lately is passed over, so that not every host waits for it; if no
// other one is left, it is tried once more. A failure of the target behind a
// jump host is the result.
func (d *Dialer) dialFirstRoute(ctx context.Context, h *handshake, host installer.Host) (*Conn, *installer.Failure) {
	candidates, fail := d.findRoutes(ctx, h.project, host, h.policy)
	if fail != nil {
		return nil, fail
	}
	for _, lastResort := range []bool{false, true} {
		for i := range candidates {
			r := &candidates[i]
			if r.fail != nil || !d.breaker.allow(r.key, lastResort) {
				continue
			}
			c, fail, cause := d.dialRoute(ctx, h.fresh(), r.Route)
			if fail != nil && (ctx.Err() != nil || fail.Kind == installer.KindCanceled || cause == faultInput) {
				d.breaker.abandoned(r.key)
				return nil, fail
			}
			if fail == nil || cause != faultJumpHost {
				d.breaker.succeeded(r.key)
			}
			if fail == nil || cause == faultTarget {
				return c, fail
			}
			r.fail = fail
			d.log.Warn("jump host passed over", "project", h.project, "jump_host", r.JumpHost, "target", host.HostPort(), "kind", fail.Kind, "why", fail.Detail)
		}
	}
	return nil, d.allFailed(candidates)
}

type candidate struct {
	installer.Route
	key  string
	fail *installer.Failure
}

func (d *Dialer) findRoutes(ctx context.Context, project string, host installer.Host, policy installer.HostKeyPolicy) ([]candidate, *installer.Failure) {
	if d.cfg.Routes == nil {
		return nil, sshconn.Failf(installer.KindInternal, nil, "no jump hosts are configured")
	}
	routes, err := d.cfg.Routes.Routes(ctx, project, *host.RouteChoice)
	switch {
	case ctx.Err() != nil:
		return nil, sshconn.ContextFailure(ctx, "while looking for a jump host")
	case err != nil:
		return nil, sshconn.Failf(installer.KindInternal, err, "the jump hosts of the project cannot be read")
	case len(routes) == 0:
		return nil, sshconn.Failf(installer.KindUnreachable, nil, "%s is to be reached through the project's jump hosts, and the project has none any more: set one, or import the host with its own route", host.HostPort())
	}
	var found []candidate
	for _, route := range routes {
		r := candidate{Route: route.To(host.Endpoint), fail: route.Fail}
		if r.fail == nil {
			r.key = d.routeKey(project, r.Route, policy)
			if slices.ContainsFunc(found, func(c candidate) bool { return c.key == r.key }) {
				continue // two jump hosts, and one route to this host
			}
		}
		found = append(found, r)
	}
	return found, nil
}

// allFailed says that no jump host can be used, and why. Its kind is that of the
// first one for which a retry may help, so that there is one.
func (d *Dialer) allFailed(candidates []candidate) *installer.Failure {
	var first *installer.Failure
	var whys []string
	var causes []error
	for _, r := range candidates {
		fail, ago := r.fail, ""
		if fail == nil {
			fail, ago = d.breaker.lastFailure(r.key)
		}
		if fail == nil {
			continue // it works again since a moment: the next try finds it so
		}
		if first == nil || first.Kind.Info().Tries == 1 && fail.Kind.Info().Tries > 1 {
			first = fail
		}
		whys = append(whys, fmt.Sprintf("%s (%s%s)", fail.Detail, fail.Kind, ago))
		causes = append(causes, fail)
	}
	if first == nil {
		return sshconn.Failf(installer.KindUnreachable, nil, "no jump host could be used this moment")
	}
	what := "the jump host cannot be used: "
	if len(candidates) > 1 {
		what = fmt.Sprintf("none of %d jump hosts can be used: ", len(candidates))
	}
	fail := sshconn.Failf(first.Kind, errors.Join(causes...), "%s%s", what, strings.Join(whys, "; "))
	fail.JumpHost = true
	return fail
}

// fillLogins looks up the logins that are not given: those kept for the project's jump hosts.
func (d *Dialer) fillLogins(ctx context.Context, project string, hops []installer.Endpoint, given []installer.Login) ([]installer.Login, *installer.Failure) {
	given = given[:len(hops)]
	if d.cfg.Routes == nil || !slices.ContainsFunc(given, installer.Login.IsZero) {
		return given, nil
	}
	routes, err := d.cfg.Routes.Routes(ctx, project, installer.RouteChoice{})
	if err != nil {
		return nil, sshconn.Failf(installer.KindInternal, err, "the jump hosts of the project cannot be read")
	}
	logins := slices.Clone(given)
	for i := range logins {
		if !logins[i].IsZero() {
			continue
		}
		var found bool
		if logins[i], found = installer.HopLogin(routes, hops[:i+1]); !found {
			return nil, sshconn.Failf(installer.KindCredentialMissing, nil, "no login is kept for jump host %s@%s, or the project does not use it any more", hops[i].User, hops[i].HostPort())
		}
	}
	return logins, nil
}

// noteReached closes the breaker of a host that was reached, if it is a jump host that had failed.
func (d *Dialer) noteReached(project string, route installer.Route, policy installer.HostKeyPolicy) {
	if !d.breaker.anyOpen() {
		return
	}
	d.breaker.succeeded(d.routeKey(project, route, policy))
}
