package main

import (
	"context"
	"errors"

	"tripod/installer"
	"tripod/installer/control"
)

// knownFlags name hosts by what is known of them. What is kept gets in.
type knownFlags struct {
	Known []string `sep:"none" placeholder:"HOST" help:"Known host: instance id, address or name; \"all\": every one."`
	Label []string `sep:"none" placeholder:"NAME[=VALUE]" help:"Known hosts with this label; several: with all of them."`
}

func (f *knownFlags) anyKnown() bool { return len(f.Known)+len(f.Label) > 0 }

// allKnown is --known of every host.
const allKnown = "all"

// findKnown finds the hosts, and tells all that is wrong.
func (f *knownFlags) findKnown(ctx context.Context, hosts *control.Client, project string) ([]installer.KnownHost, installer.Faults, error) {
	labels, err := parseLabels("--label", f.Label)
	if faults, ok := errors.AsType[installer.Faults](err); ok {
		return nil, faults, nil
	}
	var faults installer.Faults
	var found []installer.KnownHost
	if len(f.Label) > 0 || len(f.Known) == 1 && f.Known[0] == allKnown {
		if found, err = allHosts(ctx, hosts, project, labels); err != nil {
			return nil, nil, err
		}
		if len(found) == 0 {
			faults.Add("--label, --known", "no known host of project %s fits", project)
		}
		if len(f.Known) > 0 && f.Known[0] != allKnown {
			faults.Add("--known", "names hosts: not together with --label")
		}
		return found, faults, nil
	}
	for _, what := range f.Known {
		h, err := findHost(ctx, hosts, project, what)
		if code, _ := classify(err); err != nil && code != exitUsage {
			return nil, nil, err
		} else if err != nil {
			faults.Add("--known", "%v", err)
			continue
		}
		found = append(found, h)
	}
	return found, faults, nil
}

// readKnown adds known hosts to those of the files and arguments.
func (f *targetFlags) readKnown(ctx context.Context, a *app) (targets, error) {
	var t targets
	var faults installer.Faults
	var err error
	if len(f.File)+len(f.Hosts) > 0 {
		t, err = f.fileFlags.read(ctx, a, f.Hosts)
	} else {
		t.access, err = f.resolve(ctx)
	}
	if found, ok := errors.AsType[installer.Faults](err); ok {
		faults = found
	} else if err != nil {
		return t, err
	}
	err = a.look(ctx, func(hosts *control.Client) error {
		known, more, err := f.findKnown(ctx, hosts, a.project)
		faults = append(faults, more...)
		if err == nil {
			faults = append(faults, f.addKnown(a, &t, known)...)
		}
		return err
	})
	if err != nil {
		return t, err
	}
	if len(f.Via) > 0 && len(f.File)+len(f.Hosts) == 0 {
		faults.Add("--via", "a known host is reached as it was imported")
	}
	if t.source == "" {
		t.source = "known hosts"
	}
	return t, faults.Err()
}

// addKnown makes entries of known hosts. One for which nothing is kept takes the
// login of the flags, if it is reached directly.
func (f *targetFlags) addKnown(a *app, t *targets, known []installer.KnownHost) (faults installer.Faults) {
	places := map[string]string{}
	kept := 0
	for _, e := range t.entries {
		places[e.Host.HostPort()] = e.Where
	}
	for _, k := range known {
		e := installer.HostEntry{Where: "known host " + k.ID, Host: k.Host}
		if first, twice := places[k.HostPort()]; twice && len(k.Via) == 0 {
			faults.Add(e.Where, "%s is there already: %s", k.HostPort(), first)
			continue
		}
		if !f.Sudo {
			e.Host.Sudo = installer.SudoNever
		}
		switch {
		case k.Login:
			kept++
		case len(k.Via) == 0:
			e.Credentials = installer.Credentials{Login: t.access.login, SudoPassword: t.access.sudoPassword}
		}
		t.entries = append(t.entries, e)
	}
	if kept > 0 && !t.access.login.IsZero() {
		a.notef("note: %d of the known hosts take the login that is kept for them, not that of the flags", kept)
	}
	return faults
}
