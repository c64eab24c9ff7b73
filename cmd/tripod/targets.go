package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"tripod/installer"
	"tripod/installer/hostsfile"
	"tripod/installer/plan"
)

// targetFlags name the hosts.
type targetFlags struct {
	Hosts []string `arg:"" optional:"" name:"host" help:"Hosts: [user@]host[:port], ranges like 10.0.0.[1-50]."`
	fileFlags
	knownFlags
}

// fileFlags name the hosts files, and how to get in where they do not say.
type fileFlags struct {
	File   []string `short:"f" sep:"none" placeholder:"HOSTS" help:"Hosts file; \"-\" is standard input."`
	Format string   `default:"auto" enum:"${formats}" help:"Format of the hosts files: ${formats}."`

	accessFlags
}

// read reads the hosts of the flags and the arguments.
func (f *targetFlags) read(ctx context.Context, a *app) (targets, error) {
	if !f.anyKnown() {
		return f.fileFlags.read(ctx, a, f.Hosts)
	}
	return f.readKnown(ctx, a)
}

// targets is what the flags came to.
type targets struct {
	entries []installer.HostEntry
	source  string // for people
	access  access
}

// read reads every hosts file and argument. The error has all faults of all of them;
// nothing has been dialled then.
func (f *fileFlags) read(ctx context.Context, a *app, hosts []string) (targets, error) {
	var t targets
	if len(f.File) == 0 && len(hosts) == 0 {
		return t, usageError(errors.New("no hosts"), "name them, give a hosts file with -f (\"-\" is standard input), or known hosts with --known or --label")
	}
	var err error
	if t.access, err = f.resolve(ctx); err != nil {
		return t, err
	}
	var faults installer.Faults
	for _, file := range f.File {
		entries, err := f.readFile(a, file, t.access)
		if found, ok := errors.AsType[installer.Faults](err); ok {
			faults = append(faults, found...)
		} else if err != nil {
			return t, usageError(err, "")
		}
		t.entries = append(t.entries, entries...)
	}
	if len(hosts) > 0 {
		lines := strings.NewReader(strings.Join(hosts, "\n"))
		entries, err := hostsfile.Parse("argument", lines, hostsfile.FormatList, f.defaults(a.project, t.access))
		if found, ok := errors.AsType[installer.Faults](err); ok {
			faults = append(faults, found...)
		} else if err != nil {
			return t, usageError(err, "")
		}
		t.entries = append(t.entries, entries...)
	}
	faults = append(faults, f.finish(t)...)
	t.source = sourceName(f.File)
	return t, faults.Err()
}

func (f *fileFlags) defaults(project string, a access) hostsfile.Defaults {
	return hostsfile.Defaults{
		Project:      project,
		User:         f.User,
		Port:         f.Port,
		Login:        a.login,
		SudoPassword: a.sudoPassword,
		Via:          a.via,
		ViaLogins:    a.viaLogins,
	}
}

func (f *fileFlags) readFile(a *app, file string, acc access) ([]installer.HostEntry, error) {
	format := hostsfile.Format(f.Format)
	if file == "-" {
		return hostsfile.Parse("stdin", a.stdin, format, f.defaults(a.project, acc))
	}
	opened, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer opened.Close()
	entries, err := hostsfile.Parse(file, opened, format, f.defaults(a.project, acc))
	if err == nil && hostsfile.HasSecrets(entries) {
		warnIfReadable(a, opened)
	}
	return entries, err
}

// warnIfReadable warns when a file with secrets can be read by others.
func warnIfReadable(a *app, file *os.File) {
	if info, err := file.Stat(); err == nil && readableByOthers(info) {
		a.notef("warning: %s holds secrets and other users can read it: chmod 600 %s", file.Name(), shellQuote(file.Name()))
	}
}

// readableByOthers: a pipe is not.
func readableByOthers(file fs.FileInfo) bool {
	return file.Mode().IsRegular() && file.Mode().Perm()&0o044 != 0
}

// request is about the hosts of the flags and the arguments; faults gets what is
// wrong with them.
func (f *targetFlags) request(ctx context.Context, a *app, task installer.Type, spec installer.Spec, faults *installer.Faults) (plan.Request, error) {
	t, err := f.read(ctx, a)
	found, ok := errors.AsType[installer.Faults](err)
	if err != nil && !ok {
		return plan.Request{}, err
	}
	*faults = append(*faults, found...)
	req := a.newRequest(task, t.source)
	req.Spec, req.Hosts = spec, t.entries
	return req, nil
}

// finish applies what the flags say to all hosts, and finds hosts that are
// named twice.
func (f *fileFlags) finish(t targets) installer.Faults {
	var faults installer.Faults
	first := map[string]string{}
	for i := range t.entries {
		e := &t.entries[i]
		if !f.Sudo {
			e.Host.Sudo = installer.SudoNever
		}
		if where, twice := first[e.Host.ID]; twice {
			faults.Add(e.Where, "%s is there already: %s", e.Host.HostPort(), where)
			continue
		}
		first[e.Host.ID] = e.Where
	}
	return faults
}

func sourceName(files []string) string {
	var names []string
	for _, f := range files {
		if f == "-" {
			f = "stdin"
		}
		names = append(names, filepath.Base(f))
	}
	if len(names) == 0 {
		return "arguments"
	}
	return strings.Join(names, ", ")
}

// formatNames lists the formats for --help and the check of --format.
func formatNames() string {
	names := make([]string, len(hostsfile.Formats))
	for i, f := range hostsfile.Formats {
		names[i] = string(f)
	}
	return strings.Join(names, ",")
}
