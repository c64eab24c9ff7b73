package main

import (
	"context"
	"os"
	"time"

	"tripod/installer"
	"tripod/installer/control"
)

type packagesAddCmd struct {
	File    []string `arg:"" type:"path" name:"file" help:"The agents' packages (.tar.gz)."`
	Target  string   `default:"telescope" help:"What is in them."`
	Edition string   `default:"basic" enum:"basic,advance" help:"basic or advance."`
	Version string   `placeholder:"V" help:"Version, where the package does not tell it."`
	Arch    string   `placeholder:"ARCH" help:"amd64 or arm64, where the package does not tell it."`
}

// Help is shown by `tripod packages add --help`.
func (packagesAddCmd) Help() string {
	return `Each package is checked first: it must be a readable .tar.gz, stay within its own
folder, and hold an agent of the old or the new layout. Version and architecture
are read from it, else from its name. Adding the same content again changes only
what is said of it. install and update choose from the catalogue when they are
given no --package.

Example:
  tripod packages add telescope_linux_amd64.tar.gz telescope_linux_arm64.tar.gz`
}

// Run adds all packages or, after any fault, none.
func (c *packagesAddCmd) Run(ctx context.Context, a *app) error {
	found, err := c.inspect()
	if err != nil {
		return err
	}
	return a.change(ctx, func(shelf *control.Client) error {
		for _, p := range found {
			if err := c.add(ctx, shelf, p); err != nil {
				return err
			}
			a.notef("added %s %s (%s, %s) sha256 %s", p.Target, p.Version, p.Arch, c.Edition, p.SHA256)
		}
		return nil
	})
}

// newPackage is a package of which everything is known, not yet stored.
type newPackage struct {
	path string
	installer.Package
}

// inspect looks into the files. The error has all that is wrong with them.
func (c *packagesAddCmd) inspect() ([]newPackage, error) {
	var faults installer.Faults
	if c.Target != installer.TargetTelescope {
		faults.Add("--target", "only telescope has packages: another agent is installed by a --script of your own")
	}
	spec := installer.Spec{Version: c.Version}
	faults = append(faults, spec.Validate(flagsOf("version"))...)
	if c.Arch != "" && c.Arch != "amd64" && c.Arch != "arm64" {
		faults.Add("--arch", "want amd64 or arm64")
	}
	var found []newPackage
	for _, path := range c.File {
		ref, err := inspectPackage(path)
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
			faults.Add(path, "neither its release note nor its name tells the version: give --version V, as the agent itself will tell it")
		}
		if c.Version != "" {
			ref.Version = c.Version
		}
		if c.Arch != "" {
			ref.Arch = c.Arch
		}
		found = append(found, newPackage{path, installer.Package{BlobRef: ref, Target: c.Target, Edition: editions[c.Edition]}})
	}
	return found, faults.Err()
}

func (c *packagesAddCmd) add(ctx context.Context, shelf *control.Client, p newPackage) error {
	file, err := os.Open(p.path)
	if err != nil {
		return usageError(err, "")
	}
	defer file.Close()
	ref, err := shelf.PutBlob(ctx, file, p.BlobRef)
	if err != nil {
		return err
	}
	p.BlobRef, p.Added = ref, time.Now()
	return inputOrStorage(shelf.AddPackage(ctx, p.Package))
}
