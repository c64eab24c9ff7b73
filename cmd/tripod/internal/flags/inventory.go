package flags

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"tripod/cmd/tripod/internal/exit"
	"tripod/cmd/tripod/internal/session"
	"tripod/installer"
	"tripod/installer/control"
	"tripod/installer/hostsfile"
)

// Inventory names hosts of the inventory. The logins stored there are used.
type Inventory struct {
	Known []string `sep:"none" placeholder:"HOST" help:"Host of the inventory: instance id, address or name; \"all\": every one."`
	Label []string `sep:"none" placeholder:"NAME[=VALUE]" help:"Hosts of the inventory with this label; several: with all of them."`
}

func (f *Inventory) anyKnown() bool { return len(f.Known)+len(f.Label) > 0 }

// Find finds the hosts, each once, and tells all that is wrong. argument is where they
// are named.
func (f *Inventory) Find(ctx context.Context, c *control.Client, argument string) ([]installer.KnownHost, error) {
	const all = "all"
	labels, err := ParseLabels(f.Label)
	if err != nil {
		return nil, err
	}
	if len(f.Label) == 0 && !slices.Equal(f.Known, []string{all}) {
		return FindHosts(ctx, c, argument, f.Known)
	}
	found, err := c.Hosts(ctx, labels)
	if err != nil {
		return nil, err
	}
	var faults installer.Faults
	if len(found) == 0 {
		faults.Add(argument+", --label", "no host in the inventory of project %s matches", c.Project)
	}
	if len(f.Known) > 0 && f.Known[0] != all {
		faults.Add(argument, "cannot be combined with --label")
	}
	return found, faults.Err()
}

// FindHosts finds hosts by id, address or name, each once, and tells all that is wrong.
func FindHosts(ctx context.Context, c *control.Client, argument string, names []string) ([]installer.KnownHost, error) {
	all, err := c.Hosts(ctx, nil)
	if err != nil {
		return nil, err
	}
	var found []installer.KnownHost
	var faults installer.Faults
	for _, name := range names {
		h, err := hostCalled(all, c.Project, name)
		if err != nil {
			faults.Add(argument, "%v", err)
		} else if !slices.ContainsFunc(found, func(other installer.KnownHost) bool { return other.ID == h.ID }) {
			found = append(found, h)
		}
	}
	return found, faults.Err()
}

func FindHost(ctx context.Context, c *control.Client, name string) (h installer.KnownHost, err error) {
	all, err := c.Hosts(ctx, nil)
	if err != nil {
		return h, err
	}
	if h, err = hostCalled(all, c.Project, name); err != nil {
		err = exit.UsageError(err, "see `tripod hosts list`")
	}
	return h, err
}

// ErrNoHost is the error of FindHost where there is none.
var ErrNoHost = errors.New("no host in the inventory")

// SeeHosts gives the hint to errors about hosts of the inventory that are named wrongly.
func SeeHosts(err error) error {
	if _, ok := errors.AsType[installer.Faults](err); ok {
		return exit.UsageError(err, "see `tripod hosts list`")
	}
	return err
}

func hostCalled(all []installer.KnownHost, project, name string) (installer.KnownHost, error) {
	var found []installer.KnownHost
	for _, h := range all {
		if name == h.ID {
			return h, nil
		}
		if name == h.Address || name == h.HostPort() || name == h.Name {
			found = append(found, h)
		}
	}
	switch len(found) {
	case 0:
		return installer.KnownHost{}, fmt.Errorf("%w of project %s is called %q", ErrNoHost, project, name)
	case 1:
		return found[0], nil
	}
	return installer.KnownHost{}, fmt.Errorf("%d hosts of the inventory are called %q: give the port too, or the instance id", len(found), name)
}

// takeKnown takes the hosts of the inventory out of the arguments: those that are called by their id or
// name, and by their address if nothing else says how to log in there. The rest keep their places.
func (f *Targets) takeKnown(ctx context.Context, s *session.Session, faults *installer.Faults) (
	known []installer.KnownHost, rest []string, err error,
) {
	if len(f.Hosts) == 0 {
		return nil, nil, nil
	}
	all, err := s.KnownHosts(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, argument := range f.Hosts {
		h, err := f.knownAs(all, argument)
		if err != nil {
			faults.Add(argument, "%v", err)
		}
		if h != nil {
			known, argument = append(known, *h), ""
		}
		rest = append(rest, argument)
	}
	return known, rest, nil
}

// knownAs is the host that an argument calls by its id, name or address; nil: it does not.
func (f *Targets) knownAs(all []installer.KnownHost, argument string) (*installer.KnownHost, error) {
	var named, at []*installer.KnownHost
	for i := range all {
		h := &all[i]
		switch {
		case argument == h.ID:
			return h, nil
		case argument == h.Address || argument == h.HostPort():
			at = append(at, h)
		case argument == h.Name:
			named = append(named, h)
		}
	}
	switch {
	case len(at) == 1 && !f.saysHow():
		return at[0], nil
	case len(at) > 0 || len(named) == 0:
		return nil, nil
	case len(named) > 1:
		return nil, fmt.Errorf("%d hosts of the inventory have this name: give the instance id", len(named))
	}
	return named[0], nil
}

// addInventory adds hosts of the inventory to those of the files and arguments: named ones, and those of
// the flags. One without a stored login takes that of the flags, if it is reached directly.
func (f *Targets) addInventory(
	ctx context.Context, s *session.Session, known []installer.KnownHost, entries []installer.HostEntry,
	defaults hostsfile.Defaults, faults *installer.Faults,
) ([]installer.HostEntry, error) {
	if f.anyKnown() {
		found, err := session.Read(ctx, s, func(c *control.Client) ([]installer.KnownHost, error) {
			return f.Find(ctx, c, "--known")
		})
		if err := Collect(err, faults); err != nil {
			return nil, err
		}
		known = append(known, found...)
	}
	if len(f.Via) > 0 && len(entries) == 0 {
		faults.Add("--via", "cannot be combined with hosts of the inventory, which says how they are reached")
	}
	first := map[string]string{}
	stored := 0
	for _, e := range entries {
		first[e.Host.HostPort()] = e.Where
	}
	for _, k := range known {
		e := installer.HostEntry{Where: "known host " + k.ID, Host: k.Host}
		if where, twice := first[k.HostPort()]; twice && len(k.Via) == 0 {
			faults.Add(e.Where, "%s is there already: %s", k.HostPort(), where)
			continue
		}
		if slices.ContainsFunc(entries, func(other installer.HostEntry) bool { return other.Where == e.Where }) {
			continue // named twice
		}
		f.become(&e.Host)
		switch {
		case k.Login:
			stored++
		case len(k.Via) == 0:
			e.Credentials = installer.Credentials{Login: defaults.Login, SudoPassword: defaults.SudoPassword}
		}
		entries = append(entries, e)
	}
	if stored > 0 && !defaults.Login.IsZero() {
		s.Notef("note: the stored logins of %d known hosts are used, not that of the flags", stored)
	}
	return entries, nil
}

// ParseLabels reads the NAME=VALUE of --label, all faults at once.
func ParseLabels(texts []string) (map[string]string, error) {
	var faults installer.Faults
	labels := map[string]string{}
	for _, text := range texts {
		name, value, err := hostsfile.ParseLabel(text)
		if err != nil {
			faults.Add("--label", "%v", err)
			continue
		}
		if _, twice := labels[name]; twice {
			faults.Add("--label", "%s is given twice", name)
		}
		labels[name] = value
	}
	return labels, faults.Err()
}
