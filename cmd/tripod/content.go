package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"tripod/installer"
	"tripod/installer/pkgfile"
)

// contentFlags name the files that are brought to the hosts.
type contentFlags struct {
	Package []string `type:"path" sep:"none" placeholder:"FILE" help:"The agent's package; once per architecture."`
	Script  string   `type:"path" placeholder:"FILE" help:"A script of your own, run in place of the target's recipe."`
}

// content is what contentFlags came to: inspected, not yet stored.
type content struct {
	packages []contentFile
	script   *contentFile
}

type contentFile struct {
	path string
	ref  installer.BlobRef
}

// inspect looks into the files. The error has all that is wrong with them.
func (f *contentFlags) inspect() (content, error) {
	var c content
	var faults installer.Faults
	arch := map[string]string{}
	for _, path := range f.Package {
		ref, err := inspectPackage(path)
		if err != nil {
			faults.Add("--package "+path, "%v", err)
			continue
		}
		if other, twice := arch[ref.Arch]; twice {
			faults.Add("--package "+path, "is for the same architecture (%s) as %s", ref.Arch, other)
		}
		arch[ref.Arch] = path
		c.packages = append(c.packages, contentFile{path, ref})
	}
	if f.Script != "" {
		ref, err := inspectScript(f.Script)
		if err != nil {
			faults.Add("--script "+f.Script, "%v", err)
		}
		c.script = &contentFile{f.Script, ref}
	}
	return c, faults.Err()
}

// keeper keeps a file of which ref has the hash and the size.
type keeper func(ctx context.Context, r io.Reader, ref installer.BlobRef) (installer.BlobRef, error)

// store has the files kept and makes spec point to them.
func (c content) store(ctx context.Context, keep keeper, spec *installer.Spec) error {
	put := func(f contentFile) (installer.BlobRef, error) {
		file, err := os.Open(f.path)
		if err != nil {
			return f.ref, usageError(err, "")
		}
		defer file.Close()
		return keep(ctx, file, f.ref)
	}
	if len(c.packages) > 0 {
		spec.Packages = nil // those of the catalogue are in the store
	}
	for _, p := range c.packages {
		ref, err := put(p)
		if err != nil {
			return err
		}
		spec.Packages = append(spec.Packages, ref)
	}
	if c.script != nil {
		ref, err := put(*c.script)
		if err != nil {
			return err
		}
		spec.Script = &ref
	}
	return nil
}

// keep is a keeper: the folder itself.
func (e *localEngine) keep(ctx context.Context, r io.Reader, ref installer.BlobRef) (installer.BlobRef, error) {
	put, err := e.store.PutBlob(ctx, r, ref.Name)
	if err == nil && put.SHA256 != ref.SHA256 {
		err = usagef("%s was changed while it was read", ref.Name)
	}
	return ref, err
}

// hold opens what a daemon's own tasks need for as long as its store is open:
// that the same package is removed from the catalogue does not take it away.
func hold(blobs installer.Blobs, spec installer.Spec) error {
	refs := slices.Clone(spec.Packages)
	if spec.Script != nil {
		refs = append(refs, *spec.Script)
	}
	for _, ref := range refs {
		if _, err := blobs.OpenBlob(ref); err != nil {
			return err
		}
	}
	return nil
}

// largestScript bounds --script; more than that is a package.
const largestScript = 8 << 20

// inspectScript finds what is wrong with a script, and its hash.
func inspectScript(path string) (installer.BlobRef, error) {
	file, err := os.Open(path)
	if err != nil {
		return installer.BlobRef{}, err
	}
	defer file.Close()
	raw, err := io.ReadAll(io.LimitReader(file, largestScript+1))
	switch {
	case err != nil:
		return installer.BlobRef{}, err
	case len(raw) == 0:
		return installer.BlobRef{}, errors.New("it is empty")
	case len(raw) > largestScript:
		return installer.BlobRef{}, fmt.Errorf("it is longer than %d MiB", largestScript>>20)
	}
	sum := sha256.Sum256(raw)
	return installer.BlobRef{SHA256: hex.EncodeToString(sum[:]), Size: int64(len(raw)), Name: filepath.Base(path)}, nil
}

// inspectPackage finds what is wrong with a package, for which architecture
// it is, and its hash.
func inspectPackage(path string) (installer.BlobRef, error) {
	file, err := os.Open(path)
	if err != nil {
		return installer.BlobRef{}, err
	}
	defer file.Close()
	hash := sha256.New()
	read := io.TeeReader(file, hash)
	info, err := pkgfile.Inspect(read, path)
	if err != nil {
		return installer.BlobRef{}, err
	}
	if _, err := io.Copy(io.Discard, read); err != nil { // what the inspection left
		return installer.BlobRef{}, err
	}
	size, err := file.Seek(0, io.SeekCurrent)
	return installer.BlobRef{
		SHA256: hex.EncodeToString(hash.Sum(nil)), Size: size, Name: filepath.Base(path),
		Arch: info.Arch, Version: info.Version,
	}, err
}
