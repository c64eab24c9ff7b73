package flags

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"tripod/cmd/tripod/internal/exit"
	"tripod/cmd/tripod/internal/session"
	"tripod/installer"
	"tripod/installer/hostsfile"
	"tripod/installer/plan"
)

// Targets name the hosts to work on.
type Targets struct {
	Hosts []string `arg:"" optional:"" name:"host" help:"Hosts: [user@]host[:port], ranges like 10.0.0.[1-50], or ids and names of the inventory."`
	HostsFiles
	Inventory
}

// HostsFiles name hosts files, and how to log in where they do not say it.
type HostsFiles struct {
	File []string `short:"f" sep:"none" placeholder:"HOSTS" help:"Hosts file; \"-\" is standard input."`
	Format
	Access
}

type Format struct {
	Format string `default:"auto" enum:"${formats}" help:"Format of the hosts files: ${formats}."`
}

// Request is about the hosts of the flags and the arguments; faults gets what is wrong
// with them.
func (f *Targets) Request(
	ctx context.Context, s *session.Session, run session.RunFlags, task installer.Type, spec installer.Spec,
	faults *installer.Faults,
) (req plan.Request, err error) {
	known, hosts, err := f.takeKnown(ctx, s, faults)
	if err != nil {
		return req, err
	}
	entries, defaults, err := f.read(ctx, s, hosts, f.anyKnown() || len(known) > 0)
	if err := Collect(err, faults); err != nil {
		return req, err
	}
	if f.anyKnown() || len(known) > 0 {
		if entries, err = f.addInventory(ctx, s, known, entries, defaults, faults); err != nil {
			return req, err
		}
	}
	req, err = run.NewRequest(s, task, sourceName(f.File, hosts))
	spec.KeepTrying = run.KeepTrying
	req.Spec, req.Hosts = spec, entries
	return req, err
}

// Refuse adds what is wrong with a flag, where it is.
func Refuse(faults *installer.Faults, wrong bool, flag, what string) {
	if wrong {
		faults.Add(flag, "%s", what)
	}
}

// Collect adds the faults that err consists of; any other error is returned.
func Collect(err error, faults *installer.Faults) error {
	found, ok := errors.AsType[installer.Faults](err)
	if err != nil && !ok {
		return err
	}
	*faults = append(*faults, found...)
	return nil
}

// Entries reads the hosts of the files. The error has all faults of all of them.
func (f *HostsFiles) Entries(ctx context.Context, s *session.Session) ([]installer.HostEntry, error) {
	entries, _, err := f.read(ctx, s, nil, false)
	return entries, err
}

// read reads every hosts file and argument; may there be none of them? The error has
// all faults of all of them; nothing has been dialled then.
func (f *HostsFiles) read(ctx context.Context, s *session.Session, hosts []string, none bool) (
	all []installer.HostEntry, defaults hostsfile.Defaults, err error,
) {
	if len(f.File)+len(hosts) == 0 && !none {
		return nil, defaults, exit.UsageError(errors.New("no hosts"), "name hosts, give a hosts file with -f (\"-\" is standard input), or take hosts of the inventory with --known or --label")
	}
	if defaults, err = f.resolve(ctx); err != nil {
		return nil, defaults, err
	}
	defaults.Project = s.Project
	var faults installer.Faults
	add := func(entries []installer.HostEntry, err error) error {
		all = append(all, entries...)
		return Collect(err, &faults)
	}
	for _, file := range f.File {
		if err := add(f.readFile(s, file, defaults)); err != nil {
			return nil, defaults, exit.UsageError(err, "")
		}
	}
	if slices.ContainsFunc(hosts, func(host string) bool { return host != "" }) {
		lines := strings.NewReader(strings.Join(hosts, "\n"))
		if err := add(hostsfile.Parse("argument", lines, hostsfile.FormatList, defaults)); err != nil {
			return nil, defaults, exit.UsageError(err, "")
		}
	}
	first := map[string]string{}
	for i := range all {
		e := &all[i]
		f.become(&e.Host)
		if where, twice := first[e.Host.ID]; twice {
			faults.Add(e.Where, "%s is there already: %s", e.Host.HostPort(), where)
			continue
		}
		first[e.Host.ID] = e.Where
	}
	return all, defaults, faults.Err()
}

func (f *HostsFiles) readFile(s *session.Session, file string, defaults hostsfile.Defaults) ([]installer.HostEntry, error) {
	format := hostsfile.Format(f.Format.Format)
	if file == "-" {
		return hostsfile.Parse("stdin", s.Stdin, format, defaults)
	}
	opened, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer opened.Close()
	entries, err := hostsfile.Parse(file, opened, format, defaults)
	if err == nil && hostsfile.HasSecrets(entries) {
		warnIfReadable(s.Notef, file)
	}
	return entries, err
}

// warnIfReadable warns when a file with secrets can be read by others. A pipe cannot.
func warnIfReadable(warn warning, name string) {
	if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o044 != 0 {
		warn("warning: %s holds secrets and other users can read it: chmod 600 %s", name, session.ShellQuote(name))
	}
}

func sourceName(files, hosts []string) string {
	var names []string
	for _, f := range files {
		if f == "-" {
			f = "stdin"
		}
		names = append(names, filepath.Base(f))
	}
	switch {
	case len(names) > 0:
		return strings.Join(names, ", ")
	case len(hosts) > 0:
		return "arguments"
	}
	return "inventory"
}

// Logins puts those that retry or rollback was given, if any, into the request.
func (f *HostsFiles) Logins(ctx context.Context, s *session.Session, req *plan.Request) (err error) {
	if len(f.File) > 0 {
		req.Hosts, err = f.Entries(ctx, s)
		return err
	}
	d, err := f.resolve(ctx)
	if err == nil && d.Login.IsZero() && f.Become != "" {
		err = exit.UsageError(errors.New("--become: is used with a login only"), "give the login too, or a hosts file with a column become")
	}
	if err != nil || d.Login.IsZero() {
		return err
	}
	req.ForAll = &installer.HostEntry{
		Host:        installer.Host{Via: d.Via, Become: installer.Become(f.Become)},
		Credentials: installer.Credentials{Login: d.Login, SudoPassword: d.SudoPassword, Via: d.ViaLogins},
	}
	if f.User != DefaultUser {
		req.ForAll.Host.User = f.User
	}
	return nil
}

func FormatNames() string {
	names := make([]string, len(hostsfile.Formats))
	for i, f := range hostsfile.Formats {
		names[i] = string(f)
	}
	return strings.Join(names, ",")
}
