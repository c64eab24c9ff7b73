package inventory

import (
	"cmp"
	"context"
	"slices"

	"tripod/installer"
	"tripod/store/kv"
)

// WaysMost bounds how many installers one host's ways are made of.
const WaysMost = 64

// Ways implements installer.Wayfinder. An installer is reached as it was when it
// was made one; one that is itself behind installers of which one is chosen has a
// way by each of them.
func (s *Inventory) Ways(ctx context.Context, project string, through installer.Through) ([]installer.Way, error) {
	var plans []wayPlan
	err := s.View(ctx, func(t *Tx) (err error) {
		f := wayfinder{Tx: t, project: project, left: WaysMost}
		plans, err = f.ways(through, nil)
		return err
	})
	if err != nil {
		return nil, err
	}
	ways := make([]installer.Way, len(plans))
	for i, p := range plans {
		if ways[i], err = s.openWay(ctx, project, p); err != nil {
			return nil, err
		}
	}
	return s.fillHops(ctx, project, through, ways)
}

// fillHops looks up the logins that are left out: of hops which are themselves the
// project's installers.
func (s *Inventory) fillHops(ctx context.Context, project string, through installer.Through, ways []installer.Way) ([]installer.Way, error) {
	projects := ways
	for n := range ways {
		w := &ways[n]
		for i := range w.Logins {
			if !w.Logins[i].IsZero() {
				continue
			}
			if len(through.Named) > 0 {
				var err error
				if projects, err = s.Ways(ctx, project, installer.Through{}); err != nil {
					return nil, err
				}
				through.Named = nil
			}
			var found bool
			if w.Logins[i], found = installer.LoginOf(projects, w.Hops[:i+1]); !found {
				*w = installer.Way{Installer: w.Installer, Fail: wayFailure("installer %s@%s, on the way to another, is none any more, or nothing is kept for it", w.Hops[i].User, w.Hops[i].HostPort())}
				break
			}
		}
	}
	return ways, nil
}

// wayPlan is a way whose logins are still sealed.
type wayPlan struct {
	installer string // the last one's id
	through   []installerOnWay
	fail      *installer.Failure
}

type installerOnWay struct {
	host  installer.Host
	setUp []byte // what it was made an installer with; nil: what is kept for the host
}

// openWay opens the logins. One that is gone fails the way and nothing else.
func (s *Inventory) openWay(ctx context.Context, project string, p wayPlan) (installer.Way, error) {
	way := installer.Way{Installer: p.installer, Fail: p.fail}
	for _, on := range p.through {
		if way.Fail != nil {
			break
		}
		creds, err := s.openFirst(ctx, project, on.host.ID, func(t *Tx) ([][]byte, error) { return t.loginsOnWay(project, on) })
		if isMissing(err) || err == nil && (creds.Login.IsZero() || len(creds.Via) != len(on.host.Via)) {
			way.Fail = wayFailure("installer %s@%s: no password or key is kept for it any more", on.host.User, on.host.HostPort())
			continue
		}
		if err != nil {
			return way, err
		}
		way.Hops = append(append(way.Hops, on.host.Via...), on.host.Endpoint)
		way.Logins = append(append(way.Logins, creds.Via...), creds.Login)
	}
	if way.Fail != nil {
		way.Hops, way.Logins = nil, nil
	}
	return way, nil
}

// loginsOnWay are where an installer's login may be, in the order in which they
// count.
func (t *Tx) loginsOnWay(project string, on installerOnWay) ([][]byte, error) {
	if on.setUp != nil {
		return [][]byte{on.setUp}, nil
	}
	k, err := t.KnownHost(project, on.host.ID)
	if err != nil || k == nil {
		return nil, err
	}
	return t.loginsFor(project, k, on.host)
}

func wayFailure(format string, args ...any) *installer.Failure {
	return installer.Fail(installer.KindCredentialMissing, format, args...)
}

// wayfinder finds the ways within one transaction.
type wayfinder struct {
	*Tx
	project string
	left    int // how many installers it may still look at
}

// ways are those through the named installers, or else the project's. behind are
// the ids of those that are reached by them.
func (f *wayfinder) ways(through installer.Through, behind []string) ([]wayPlan, error) {
	named := through.Named
	if len(named) == 0 {
		all, err := f.Installers(f.project)
		if err != nil {
			return nil, err
		}
		for _, h := range all {
			// What is behind the project's installers is reached by those of them
			// that stand by themselves: the others may be behind it.
			if len(behind) > 0 && h.Host.Through != nil && len(h.Host.Through.Named) == 0 {
				continue
			}
			named = append(named, installer.NamedInstaller{ID: h.Host.ID, SetUp: true})
		}
	}
	var plans []wayPlan
	for _, n := range named {
		if f.left == 0 || slices.Contains(behind, n.ID) {
			continue
		}
		f.left--
		more, err := f.by(n, behind)
		if err != nil {
			return nil, err
		}
		plans = append(plans, more...)
	}
	return plans, nil
}

// by are the ways through one installer.
func (f *wayfinder) by(n installer.NamedInstaller, behind []string) ([]wayPlan, error) {
	failed := func(format string, args ...any) []wayPlan {
		return []wayPlan{{installer: n.ID, fail: wayFailure(format, args...)}}
	}
	setUp, err := f.setUpHost(f.project, n.ID)
	if err != nil {
		return nil, err
	}
	known, err := f.KnownHost(f.project, n.ID)
	var on installerOnWay
	switch {
	case err != nil:
		return nil, err
	case setUp != nil && f.Get(TSealed, jumpLogin(f.project, n.ID)) != nil:
		on = installerOnWay{setUp.Host, jumpLogin(f.project, n.ID)}
	case setUp != nil:
		on = installerOnWay{host: setUp.Host}
	case n.SetUp:
		return failed("installer %s is none any more", n.ID), nil
	case known == nil:
		return failed("installer %s is no known host any more", n.ID), nil
	default:
		on = installerOnWay{host: known.Host}
	}
	if on.host.Through == nil {
		return []wayPlan{{installer: n.ID, through: []installerOnWay{on}}}, nil
	}
	before, err := f.ways(*on.host.Through, append(slices.Clip(behind), n.ID))
	if err != nil {
		return nil, err
	}
	// Why some cannot be gone matters only if none can.
	good := slices.DeleteFunc(slices.Clone(before), func(p wayPlan) bool { return p.fail != nil })
	if len(good) > 0 {
		before = good
	}
	for i := range before {
		b := &before[i]
		b.installer, b.through = n.ID, append(b.through, on)
		if b.fail != nil {
			b.fail = wayFailure("installer %s@%s is behind another: %s", on.host.User, on.host.HostPort(), b.fail.Detail)
		}
	}
	if len(before) == 0 {
		return failed("installer %s@%s is behind another, and none is left", on.host.User, on.host.HostPort()), nil
	}
	if len(good) == 0 {
		before = before[:1]
	}
	return before, nil
}

// Installers are those of a project, the first one set first.
func (t *Tx) Installers(project string) ([]setUpHost, error) {
	var found []setUpHost
	for _, row := range t.All(TSetUp, kv.Join(project)) {
		var h setUpHost
		if _, err := kv.ReadRow(row, &h); err != nil {
			return nil, err
		}
		found = append(found, h)
	}
	slices.SortFunc(found, func(a, b setUpHost) int { return cmp.Compare(a.Order, b.Order) })
	return found, nil
}
