package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"tripod/installer"
	"tripod/installer/control"
	"tripod/installer/plaintext"
)

type packagesCmd struct {
	Add    packagesAddCmd    `cmd:"" help:"Put agents' packages into the catalogue."`
	List   packagesListCmd   `cmd:"" help:"List the catalogue."`
	Remove packagesRemoveCmd `cmd:"" help:"Take packages out of the catalogue and delete them."`
}

// editions are the words of the command line.
var editions = map[string]installer.Edition{"basic": installer.Basic, "advance": installer.Advance}

type packagesListCmd struct {
	Target string `placeholder:"TARGET" help:"Only packages of this target."`
	tableFlag
}

// Run lists the catalogue, the newest versions first.
func (c *packagesListCmd) Run(ctx context.Context, a *app) error {
	return a.look(ctx, func(shelf *control.Client) error {
		all, err := shelf.Packages(ctx, c.Target)
		if err != nil {
			return err
		}
		switch c.Output {
		case "json":
			return printList(a, "packages", all)
		case "csv":
			return printCSV(a, all, []string{"sha256", "target", "version", "arch", "edition", "size", "added", "name"}, func(p installer.Package) []string {
				return []string{p.SHA256, p.Target, p.Version, p.Arch, p.Edition.Word(), strconv.FormatInt(p.Size, 10), csvTime(p.Added), p.Name}
			})
		}
		return a.print(packagesTable(all))
	})
}

func packagesTable(all []installer.Package) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "SHA256\tTARGET\tVERSION\tARCH\tEDITION\tMIB\tADDED\tNAME")
	for _, p := range all {
		fmt.Fprintf(w, "%.12s\t%s\t%s\t%s\t%s\t%.1f\t%s\t%s\n", p.SHA256, p.Target, p.Version, p.Arch, p.Edition.Word(),
			float64(p.Size)/(1<<20), p.Added.Local().Format(time.DateTime), plaintext.Line(p.Name))
	}
	_ = w.Flush()
	return b.String()
}

type packagesRemoveCmd struct {
	Package []string `arg:"" name:"package" help:"Versions, or SHA-256 hashes (their first 8 characters do)."`
}

// Help is shown by `tripod packages remove --help`.
func (packagesRemoveCmd) Help() string {
	return `A version stands for its packages of every architecture and edition. A package
that work needs that has not ended is kept. To try again a task that needed it,
add it again.`
}

// hashStart is the beginning of a SHA-256, long enough to mean one.
var hashStart = regexp.MustCompile(`^[0-9a-f]{8,64}$`)

// Run removes all that is named, or tells what is named wrongly and removes nothing.
func (c *packagesRemoveCmd) Run(ctx context.Context, a *app) error {
	return a.change(ctx, func(shelf *control.Client) error {
		all, err := shelf.Packages(ctx, "")
		if err != nil {
			return err
		}
		var faults installer.Faults
		var gone []installer.Package
		for _, what := range c.Package {
			found, fault := findPackages(all, what)
			if fault != "" {
				faults.Add("package", "%s", fault)
			}
			gone = append(gone, found...)
		}
		if err := faults.Err(); err != nil {
			return usageError(err, "see `tripod packages list`")
		}
		return a.removePackages(ctx, shelf, gone)
	})
}

// findPackages finds what is named by a version or by the start of a hash.
func findPackages(all []installer.Package, what string) (found []installer.Package, fault string) {
	for _, p := range all {
		if p.Version == what {
			found = append(found, p)
		}
	}
	if len(found) > 0 {
		return found, ""
	}
	for _, p := range all {
		if hashStart.MatchString(what) && strings.HasPrefix(p.SHA256, what) {
			found = append(found, p)
		}
	}
	switch len(found) {
	case 0:
		return nil, fmt.Sprintf("no version and no SHA-256 of a package is or begins with %q", what)
	case 1:
		return found, ""
	}
	return nil, fmt.Sprintf("the SHA-256 of %d packages begins with %s: give more of it", len(found), what)
}

// removePackages goes on after one that is in use, and tells each.
func (a *app) removePackages(ctx context.Context, shelf *control.Client, gone []installer.Package) error {
	var faults installer.Faults
	done := map[string]bool{}
	for _, p := range gone {
		if done[p.SHA256] {
			continue
		}
		done[p.SHA256] = true
		err := shelf.RemovePackage(ctx, p.SHA256)
		switch {
		case errors.Is(err, installer.ErrInUse):
			faults.Add("package", "%v", err)
		case err != nil:
			return err
		default:
			a.notef("removed %s %s (%s, %s)", p.Target, p.Version, p.Arch, p.Edition.Word())
		}
	}
	if err := faults.Err(); err != nil {
		return usageError(err, "wait until that work has ended, or cancel it; see `tripod status`")
	}
	return nil
}
