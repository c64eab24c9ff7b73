package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"tripod/cmd/tripod/internal/exit"
	"tripod/cmd/tripod/internal/flags"
	"tripod/cmd/tripod/internal/report"
	"tripod/cmd/tripod/internal/session"
	"tripod/installer"
	"tripod/installer/control"
	"tripod/installer/lazyregexp"
)

type packagesCmd struct {
	Add    packagesAddCmd    `cmd:"" help:"Add agent packages to the package store."`
	List   packagesListCmd   `cmd:"" help:"List the package store."`
	Remove packagesRemoveCmd `cmd:"" help:"Delete packages from the package store."`
}

type packagesAddCmd struct {
	File    []string `arg:"" type:"path" name:"file" help:"Agent packages (.tar.gz)."`
	Target  string   `default:"telescope" help:"Product that they contain."`
	Edition string   `default:"basic" enum:"basic,advance" help:"basic or advance."`
	Version string   `placeholder:"V" help:"Version, if the package does not say it."`
	Arch    string   `placeholder:"ARCH" help:"amd64 or arm64, if the package does not say it."`
}

func (packagesAddCmd) Help() string {
	return `Each package is checked first: it must be a readable .tar.gz, stay within its own
folder, and contain an agent in the old or the new layout. Version and architecture
are read from its content, else from its name. Adding a package again only updates
what is recorded about it. install and update choose from the package store if no
--package is given.

Example:
  tripod packages add telescope_linux_amd64.tar.gz telescope_linux_arm64.tar.gz`
}

// Run adds all packages or, after any fault, none.
func (c *packagesAddCmd) Run(ctx context.Context, s *session.Session) error {
	found, err := c.inspect()
	if err != nil {
		return err
	}
	return s.Change(ctx, func(client *control.Client) error {
		for i, p := range found {
			if err := flags.StoreFile(ctx, c.File[i], p.BlobRef, client.PutBlob); err != nil {
				return err
			}
			if _, err := control.AddPackage.Call(ctx, client, p); err != nil {
				return err
			}
			s.Notef("added %s %s (%s, %s) sha256 %s", p.Target, p.Version, p.Arch, c.Edition, p.SHA256)
		}
		return nil
	})
}

func (c *packagesAddCmd) inspect() ([]installer.Package, error) {
	var faults installer.Faults
	spec := installer.Spec{Version: c.Version}
	faults = append(faults, spec.Validate(flags.Of("version"))...)
	flags.Refuse(&faults, c.Target != installer.TargetTelescope, "--target", "only telescope has packages: another agent is installed by a --script of your own")
	flags.Refuse(&faults, c.Arch != "" && c.Arch != "amd64" && c.Arch != "arm64", "--arch", "must be amd64 or arm64")
	var found []installer.Package
	for _, path := range c.File {
		ref, err := flags.InspectPackage(path)
		if err != nil {
			faults.Add(path, "%v", err)
			continue
		}
		switch {
		case ref.Arch == "" && c.Arch == "":
			faults.Add(path, "neither its program nor its name tells the architecture: give --arch amd64 or arm64")
		case ref.Arch != "" && c.Arch != "" && ref.Arch != c.Arch:
			faults.Add(path, "is for %s, not for %s", ref.Arch, c.Arch)
		}
		if ref.Version == "" && c.Version == "" {
			faults.Add(path, "neither its release note nor its name tells the version: give --version V, as the agent itself reports it")
		}
		ref.Version, ref.Arch = cmp.Or(c.Version, ref.Version), cmp.Or(c.Arch, ref.Arch)
		found = append(found, installer.Package{BlobRef: ref, Target: c.Target, Edition: flags.Editions[c.Edition]})
	}
	return found, faults.Err()
}

type packagesListCmd struct {
	Target string `placeholder:"TARGET" help:"Only packages of this product."`
	listFlag
}

var packageList = report.List[installer.Package]{Name: "packages", Columns: []report.Column[installer.Package]{
	{Name: "sha256", Of: func(p installer.Package) any { return p.SHA256 }, In: report.CSV},
	{Name: "sha256", Of: func(p installer.Package) any { return fmt.Sprintf("%.12s", p.SHA256) }, In: report.Table},
	{Name: "target", Of: func(p installer.Package) any { return p.Target }},
	{Name: "version", Of: func(p installer.Package) any { return p.Version }},
	{Name: "arch", Of: func(p installer.Package) any { return p.Arch }},
	{Name: "edition", Of: func(p installer.Package) any { return p.Edition.Word() }},
	{Name: "size", Of: func(p installer.Package) any { return p.Size }, In: report.CSV},
	{Name: "MiB", Of: func(p installer.Package) any { return fmt.Sprintf("%.1f", float64(p.Size)/(1<<20)) }, In: report.Table},
	{Name: "added", Of: func(p installer.Package) any { return p.Added }},
	{Name: "name", Of: func(p installer.Package) any { return p.Name }},
}}

func (c *packagesListCmd) Run(ctx context.Context, s *session.Session) error {
	return printList(ctx, s, c.Output, packageList, control.ListPackages, control.OfTarget{Target: c.Target})
}

type packagesRemoveCmd struct {
	Package []string `arg:"" name:"package" help:"Versions, or SHA-256 hashes (the first 8 characters are enough)."`
}

func (packagesRemoveCmd) Help() string {
	return `A version stands for its packages of every architecture and edition. A package
that unfinished work needs is kept. To retry a task that needed a deleted package,
add it again.`
}

var hashStart = lazyregexp.New(`^[0-9a-f]{8,64}$`)

// Run removes all that is named, or tells what is named wrongly and removes nothing.
func (c *packagesRemoveCmd) Run(ctx context.Context, s *session.Session) error {
	return s.Change(ctx, func(client *control.Client) error {
		all, err := control.ListPackages.Call(ctx, client, control.OfTarget{})
		if err != nil {
			return err
		}
		var faults installer.Faults
		named := map[string]installer.Package{}
		for _, what := range c.Package {
			found, err := findPackages(all, what)
			if err != nil {
				faults.Add("package", "%v", err)
			}
			for _, p := range found {
				named[p.SHA256] = p
			}
		}
		if err := faults.Err(); err != nil {
			return exit.UsageError(err, "see `tripod packages list`")
		}
		for _, sha := range slices.Sorted(maps.Keys(named)) {
			p := named[sha]
			_, err := control.RemovePackage.Call(ctx, client, control.ID{ID: p.SHA256})
			switch {
			case errors.Is(err, installer.ErrInUse): // the others are removed
				faults.Add("package", "%v", err)
			case err != nil:
				return err
			default:
				s.Notef("removed %s %s (%s, %s)", p.Target, p.Version, p.Arch, p.Edition.Word())
			}
		}
		if err := faults.Err(); err != nil {
			return exit.UsageError(err, "wait until that work has ended, or cancel it; see `tripod status`")
		}
		return nil
	})
}

func findPackages(all []installer.Package, what string) ([]installer.Package, error) {
	var versions, hashes []installer.Package
	for _, p := range all {
		if p.Version == what {
			versions = append(versions, p)
		}
		if hashStart.MatchString(what) && strings.HasPrefix(p.SHA256, what) {
			hashes = append(hashes, p)
		}
	}
	switch {
	case len(versions) > 0:
		return versions, nil
	case len(hashes) == 0:
		return nil, fmt.Errorf("no version and no SHA-256 of a package is or begins with %q", what)
	case len(hashes) > 1:
		return nil, fmt.Errorf("the SHA-256 of %d packages begins with %s: give more of it", len(hashes), what)
	}
	return hashes, nil
}
