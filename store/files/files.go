// Package files keeps what is too large for the database: packages and scripts, by
// their content; partial uploads; and the logs of invocations.
package files

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"tripod/installer"
	"tripod/store/disk"
	"tripod/store/kv"
)

const (
	LogsFolder  = "logs"
	BlobsFolder = "blobs"
)

var (
	tPackages = kv.Table{Name: "packages", Rows: true} // SHA-256 → package
	tSent     = kv.Table{Name: "sent"}                 // project, SHA-256 → nothing: the project has sent that file
)

var Tables = []kv.Table{tPackages, tSent}

// Files is the room. Its methods can be called from many goroutines.
type Files struct {
	kv.Room
	Options
	blobs   openBlobs
	uploads sync.Mutex // one part is added at a time
	// packages keeps adding and removing of them apart: both change files beside the
	// database.
	packages sync.Mutex
}

// Options are what is special about this room.
type Options struct {
	Dir string // the state folder
	// LogCap bounds the log of one invocation in bytes.
	LogCap int64
	// Users counts the invocations that have not ended and need a package.
	Users func(t *kv.Tx, sha256 string) int
}

func New(room kv.Room, o Options) *Files {
	return &Files{Room: room, Options: o, blobs: openBlobs{files: map[string]*os.File{}}}
}

func (s *Files) path(parts ...string) string { return filepath.Join(s.Dir, filepath.Join(parts...)) }

func (s *Files) Close() error {
	s.blobs.mu.Lock()
	defer s.blobs.mu.Unlock()
	s.blobs.closed = true
	return closeAll(maps.Values(s.blobs.files))
}

// AddPackage puts an archive that PutBlob has kept into the package store, in place of what was
// said of the same content. ErrNotFound if its content is not kept.
func (s *Files) AddPackage(ctx context.Context, p installer.Package) error {
	if !installer.SHA256Form.MatchString(p.SHA256) {
		return errors.New("package: want a SHA-256 in lower-case hex")
	}
	err := errors.Join(kv.CheckPart("package's target", p.Target, 32), kv.CheckPart("package's version", p.Version, 64),
		kv.CheckPart("package's architecture", p.Arch, 32))
	if err == nil && p.Edition != installer.Basic && p.Edition != installer.Advance {
		err = fmt.Errorf("package's edition: want %s or %s", installer.Basic, installer.Advance)
	}
	if err != nil {
		return err
	}
	s.packages.Lock()
	defer s.packages.Unlock()
	if there, err := disk.Exists(s.path(BlobsFolder, p.SHA256)); err != nil {
		return disk.Error("adding a package", err)
	} else if !there {
		return kv.NotFound("file", p.Name)
	}
	if p.Added.IsZero() {
		p.Added = s.Clock()
	}
	return s.DB.Update(ctx, func(t *kv.Tx) error {
		t.PutRow(tPackages, []byte(p.SHA256), 0, p)
		return s.note(ctx, t, installer.AuditPackageAdd, p)
	})
}

func (s *Files) note(ctx context.Context, t *kv.Tx, action installer.Action, p installer.Package) error {
	subject := fmt.Sprintf("%s %s %s %s %.12s", p.Target, p.Version, p.Arch, p.Edition, p.SHA256)
	return s.Note(ctx, t, s.Clock(), installer.AuditEntry{Project: installer.ActorProjectOf(ctx), Action: action, Subject: subject})
}

// Packages returns the package store for a target, or with an empty one all of it:
// by target, version (newest first) and architecture.
func (s *Files) Packages(ctx context.Context, target string) ([]installer.Package, error) {
	found := []installer.Package{}
	err := s.DB.View(ctx, func(t *kv.Tx) error {
		for _, p := range kv.Rows[installer.Package](t, tPackages, nil) {
			if target == "" || p.Target == target {
				found = append(found, *p)
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

// RemovePackage deletes an archive of the package store; who reads it can read on. ErrNotFound if
// it is not there; ErrInUse while an invocation that has not ended needs it.
func (s *Files) RemovePackage(ctx context.Context, sha string) error {
	// Nobody adds it between the transaction and the deletion.
	s.packages.Lock()
	defer s.packages.Unlock()
	err := s.DB.Update(ctx, func(t *kv.Tx) error {
		p := kv.GetRow[installer.Package](t, tPackages, []byte(sha))
		if p == nil {
			return kv.NotFound("package", sha)
		}
		if users := s.Users(t, sha); users > 0 {
			return fmt.Errorf("package %.12s: %w: %d tasks that have not ended need it", sha, installer.ErrInUse, users)
		}
		t.Del(tPackages, []byte(sha))
		forgetSent(t, sha)
		return s.note(ctx, t, installer.AuditPackageRemove, *p)
	})
	if err != nil {
		return err
	}
	if err := os.Remove(s.path(BlobsFolder, sha)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return disk.Error("removing a package", err)
	}
	return nil
}
