package store

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"tripod/installer"
	"tripod/store/disk"
	"tripod/store/kv"
)

// AddPackage puts an archive that PutBlob has kept into the catalogue. The same
// content is one entry: what is said of it anew takes the place of what was
// said before. ErrNotFound if its content is not kept.
func (s *Store) AddPackage(ctx context.Context, p installer.Package) error {
	if !hashForm.MatchString(p.SHA256) {
		return errors.New("package: want a SHA-256 in lower-case hex")
	}
	err := errors.Join(checkPart("package's target", p.Target, 32), checkPart("package's version", p.Version, 64),
		checkPart("package's architecture", p.Arch, 32))
	if err == nil && p.Edition != installer.Basic && p.Edition != installer.Advance {
		err = fmt.Errorf("package's edition: want %s or %s", installer.Basic, installer.Advance)
	}
	if err != nil {
		return err
	}
	s.catalogue.Lock()
	defer s.catalogue.Unlock()
	if there, err := disk.Exists(s.path(blobsDir, p.SHA256)); err != nil {
		return disk.Error("adding a package", err)
	} else if !there {
		return notFound("file", p.Name)
	}
	if p.Added.IsZero() {
		p.Added = s.o.Clock()
	}
	return s.update(ctx, func(t *tx) error {
		t.PutRow(bPackages, []byte(p.SHA256), 0, p)
		return s.audit(ctx, t, s.o.Clock(), installer.AuditEntry{Project: installer.ActorProjectOf(ctx), Action: installer.AuditPackageAdd, Subject: packageSubject(p)})
	})
}

// Packages returns the catalogue for a target, or with an empty one all of it:
// by target, version (newest first) and architecture.
func (s *Store) Packages(ctx context.Context, target string) ([]installer.Package, error) {
	var found []installer.Package
	err := s.view(ctx, func(t *tx) error {
		found = []installer.Package{}
		for _, row := range t.All(bPackages, nil) {
			var p installer.Package
			if _, err := kv.ReadRow(row, &p); err != nil {
				return err
			}
			if target == "" || p.Target == target {
				found = append(found, p)
			}
		}
		return nil
	})
	slices.SortStableFunc(found, func(a, b installer.Package) int {
		return cmp.Or(cmp.Compare(a.Target, b.Target), installer.CompareVersions(b.Version, a.Version),
			cmp.Compare(a.Arch, b.Arch), b.Added.Compare(a.Added))
	})
	return found, err
}

// RemovePackage takes an archive out of the catalogue and deletes its content.
// ErrNotFound if it is not in it; ErrInUse while an invocation that has not
// ended needs it. Who has the content open already can read on.
func (s *Store) RemovePackage(ctx context.Context, sha string) error {
	// Nobody adds it between the transaction and the deletion.
	s.catalogue.Lock()
	defer s.catalogue.Unlock()
	err := s.update(ctx, func(t *tx) error {
		row := t.Get(bPackages, []byte(sha))
		if row == nil {
			return notFound("package", sha)
		}
		var p installer.Package
		if _, err := kv.ReadRow(row, &p); err != nil {
			return err
		}
		users := 0
		for r, err := range t.openRecords() {
			if err != nil {
				return err
			}
			if slices.ContainsFunc(r.Spec.Packages, func(p installer.BlobRef) bool { return p.SHA256 == sha }) {
				users++
			}
		}
		if users > 0 {
			return fmt.Errorf("package %.12s: %w: %d tasks that have not ended need it", sha, installer.ErrInUse, users)
		}
		t.Del(bPackages, []byte(sha))
		t.forgetSent(sha)
		return s.audit(ctx, t, s.o.Clock(), installer.AuditEntry{Project: installer.ActorProjectOf(ctx), Action: installer.AuditPackageRemove, Subject: packageSubject(p)})
	})
	if err != nil {
		return err
	}
	if err := os.Remove(s.path(blobsDir, sha)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return disk.Error("removing a package", err)
	}
	return nil
}
