package flags

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"tripod/cmd/tripod/internal/exit"
	"tripod/cmd/tripod/internal/session"
	"tripod/installer"
	"tripod/installer/pkgfile"
)

// Content names what is installed: files that are brought to the hosts, or where the
// hosts download it from.
type Content struct {
	OwnScript
	Package        []string `type:"path" sep:"none" placeholder:"FILE" help:"Agent package (.tar.gz); one per architecture."`
	OnlineURL      string   `name:"online-url" placeholder:"URL" help:"Use no package: each host downloads the official installer, URL/agent_install.sh, and runs it."`
	OnlineScript   string   `enum:"agent_install.sh,agentInstall.sh" default:"agent_install.sh" placeholder:"NAME" help:"File name of the official installer: agent_install.sh, or agentInstall.sh for old regions (takes no options)."`
	Region         string   `placeholder:"REGION" help:"Region to pass to the official installer (-r)."`
	OnlineUniagent string   `name:"online-uniagent-version" placeholder:"V" help:"Version of the uniagent to pass to the official installer (-u)."`
	OnlineDomain   string   `placeholder:"HOST" help:"Domain to pass to the official installer (-d)."`
	OnlineOBS      string   `name:"online-obs-domain" placeholder:"HOST" help:"Domain of the object storage to pass to the official installer (-o)."`
	OnlineInsecure bool     `help:"Allow plain HTTP for --online-url, and any certificate. An attacker on the network can then run programs as root on the hosts."`
}

// Files are the files of Content: inspected, not yet stored.
type Files []contentFile

type contentFile struct {
	path    string
	ref     installer.BlobRef
	warning string
}

func (files Files) Warn(warn warning) {
	for _, f := range files {
		if f.warning != "" {
			warn("warning: %s", f.warning)
		}
	}
}

// Inspect looks into the files and makes spec point to them; faults gets all that is
// wrong with them.
func (f *Content) Inspect(spec *installer.Spec, faults *installer.Faults) (files Files) {
	arch := map[string]string{}
	for _, path := range f.Package {
		ref, err := InspectPackage(path)
		if err != nil {
			faults.Add("--package "+path, "%v", err)
			continue
		}
		if other, twice := arch[ref.Arch]; twice {
			faults.Add("--package "+path, "is for the same architecture (%s) as %s", ref.Arch, other)
		}
		arch[ref.Arch] = path
		files = append(files, contentFile{path: path, ref: ref})
		spec.Packages = append(spec.Packages, ref)
	}
	return append(files, f.OwnScript.Inspect(spec, faults)...)
}

// Online is where hosts download the agent from; nil: they do not.
func (f *Content) Online(faults *installer.Faults) *installer.Online {
	needsURL := func(flag string, given bool) { Refuse(faults, f.OnlineURL == "" && given, flag, "needs --online-url") }
	needsURL("--region", f.Region != "")
	needsURL("--online-script", f.OnlineScript != installer.OnlineScript)
	needsURL("--online-uniagent-version", f.OnlineUniagent != "")
	needsURL("--online-domain", f.OnlineDomain != "")
	needsURL("--online-obs-domain", f.OnlineOBS != "")
	needsURL("--online-insecure", f.OnlineInsecure)
	Refuse(faults, f.OnlineURL != "" && (f.Script != "" || len(f.Package) > 0), "--online-url", "cannot be combined with --package or --script: hosts download the agent themselves")
	if f.OnlineURL == "" {
		return nil
	}
	o := &installer.Online{
		URL: f.OnlineURL, Region: f.Region, Insecure: f.OnlineInsecure,
		UniagentVersion: f.OnlineUniagent, Domain: f.OnlineDomain, OBSDomain: f.OnlineOBS,
	}
	if f.OnlineScript != installer.OnlineScript {
		o.Script = f.OnlineScript
	}
	for _, fault := range o.Validate(onlineFlag) {
		if fault.Where == "--online-url" && (installer.Online{URL: o.URL, Insecure: true}).CheckURL() == nil {
			fault.What += " (or --online-insecure, if you trust the network)"
		}
		*faults = append(*faults, fault)
	}
	return o
}

func onlineFlag(field string) string {
	if field == "region" {
		return "--region"
	}
	return "--online-" + strings.ReplaceAll(field, "_", "-")
}

// PutBlob stores a file of which ref has the hash and the size.
type PutBlob func(ctx context.Context, r io.Reader, ref installer.BlobRef) error

func (files Files) Store(ctx context.Context, put PutBlob) error {
	for _, f := range files {
		if err := StoreFile(ctx, f.path, f.ref, put); err != nil {
			return err
		}
	}
	return nil
}

func StoreFile(ctx context.Context, path string, ref installer.BlobRef, put PutBlob) error {
	file, err := os.Open(path)
	if err != nil {
		return exit.UsageError(err, "")
	}
	defer file.Close()
	return put(ctx, file, ref)
}

// InspectPackage finds what is wrong with a package, for which architecture it is, and
// its hash.
func InspectPackage(path string) (installer.BlobRef, error) {
	var info pkgfile.Info
	ref, err := hashed(path, func(r io.Reader) (err error) {
		info, err = pkgfile.Inspect(r, path)
		return err
	})
	ref.Arch, ref.Version = info.Arch, info.Version
	return ref, err
}

func hashed(path string, inspect func(io.Reader) error) (ref installer.BlobRef, err error) {
	file, err := os.Open(path)
	if err != nil {
		return ref, err
	}
	defer file.Close()
	hash := sha256.New()
	read := io.TeeReader(file, hash)
	if err := inspect(read); err != nil {
		return ref, err
	}
	if _, err := io.Copy(io.Discard, read); err != nil { // what the inspection left
		return ref, err
	}
	size, err := file.Seek(0, io.SeekCurrent)
	return installer.BlobRef{SHA256: hex.EncodeToString(hash.Sum(nil)), Size: size, Name: filepath.Base(path)}, err
}

// Editions are the words of the command line.
var Editions = map[string]installer.Edition{"basic": installer.Basic, "advance": installer.Advance}

// Spec says what to do on each host.
type Spec struct {
	Content
	SecretEnvFile []string `type:"path" sep:"none" placeholder:"FILE" help:"Secret environment variables for the script, one NAME=VALUE per line; stored encrypted and removed from output."`

	Target       string `default:"telescope" help:"Product to install; another one than telescope needs --script."`
	AgentVersion string `name:"version" placeholder:"V" help:"Version to install (default: that of the package, or the newest in the package store)."`
	Edition      string `enum:",basic,advance" default:"" placeholder:"EDITION" help:"Edition from the package store, basic or advance (default: the installed one, else basic if there is one)."`
	Policy
}

type Policy struct {
	Timeout time.Duration `placeholder:"D" help:"Longest run time of the script on a host (default: 30m)."`
	HostKeys
}

type HostKeys struct {
	HostKeys string `default:"accept-new" enum:"accept-new,strict,insecure" help:"accept-new: accept and remember the key of a new host, refuse a changed one; strict: accept known keys only; insecure: accept any key (only if the logins are given with the command)."`
	KnownHosts
}

type KnownHosts struct {
	KnownHosts []string `type:"path" sep:"none" placeholder:"FILE" help:"known_hosts files to use (default: those of ssh)."`
}

// Make makes what is to be done of the flags and files, and finds what is wrong.
func (f *Spec) Make(faults *installer.Faults) (installer.Spec, Files) {
	spec := installer.Spec{Target: f.Target, Version: f.AgentVersion, VersionType: string(Editions[f.Edition])}
	files := f.Inspect(&spec, faults)
	Refuse(faults, f.Script == "" && len(f.SecretEnvFile) > 0, "--secret-env-file", "needs --script")
	Refuse(faults, f.Script != "" && len(f.Package) > 0, "--script",
		"cannot be combined with --package: to bring a file along with the script, send it with --send FILE")
	Refuse(faults, f.Script == "" && f.Target != installer.TargetTelescope, "--target", "the only product with a built-in installation is telescope: give --script")
	Refuse(faults, f.Edition != "" && (f.Script != "" || len(f.Package) > 0 || f.OnlineURL != ""), "--edition", "chooses from the package store: it cannot be combined with --package, --script or --online-url")
	spec.Online = f.Online(faults)
	f.Policy.Apply(&spec, faults)
	*faults = append(*faults, spec.Validate(SpecFlags)...)
	return spec, files
}

// SpecFlags are the flags of a spec's fields.
func SpecFlags(field string) string {
	if field == "script_args" {
		return "--script-arg"
	}
	return Of("target", "version", "env", "send")(field)
}

// Of is for fields that are flags of the same name.
func Of(names ...string) installer.At {
	return func(field string) string {
		if slices.Contains(names, field) {
			return "--" + field
		}
		return ""
	}
}

func (f *Policy) Apply(spec *installer.Spec, faults *installer.Faults) {
	Refuse(faults, f.Timeout < 0, "--timeout", "must not be negative")
	spec.RunTimeout, spec.HostKeys = max(0, f.Timeout), f.Mode()
}

func (f *HostKeys) Mode() installer.HostKeyPolicy { return installer.HostKeyPolicy(f.HostKeys) }

func (f *KnownHosts) Files() []string {
	if len(f.KnownHosts) > 0 {
		return f.KnownHosts
	}
	return session.DefaultKnownHosts()
}
