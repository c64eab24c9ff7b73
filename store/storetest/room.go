// Package storetest opens a room of the state by itself, for the tests of that room.
package storetest

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"tripod/installer"
	"tripod/store/disk"
	"tripod/store/kv"
)

// Dir is a folder in memory where there is one, for tests that commit very often and do
// not care about the disk.
func Dir(tb testing.TB) string {
	dir, err := os.MkdirTemp("/dev/shm", "tripod-store-test")
	if err != nil {
		return tb.TempDir()
	}
	tb.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			tb.Error(err)
		}
	})
	return dir
}

// Database is where Room has its database in a folder.
func Database(dir string) string { return filepath.Join(dir, "db") }

// Room has a database of these tables in a folder, which is made at first use. It notes
// nothing in an audit log, and its database is to be closed.
func Room(tb testing.TB, dir string, clock func() time.Time, tables []kv.Table, fill func(*kv.Tx)) kv.Room {
	tb.Helper()
	path := Database(dir)
	there, err := disk.Exists(path)
	if err == nil && !there {
		err = kv.Create(path, tables, func(t *kv.Tx) error { fill(t); return nil })
	}
	if err != nil {
		tb.Fatal(err)
	}
	db, err := kv.Open(path, tables, false)
	if err != nil {
		tb.Fatal(err)
	}
	note := func(context.Context, *kv.Tx, time.Time, ...installer.AuditEntry) error { return nil }
	return kv.Room{DB: db, Clock: clock, Logger: slog.New(slog.DiscardHandler), Note: note}
}

// Empty fills a database with nothing.
func Empty(*kv.Tx) {}

// Known is a host to import; an empty password: it has no login.
func Known(id, address, password string) installer.HostEntry {
	e := installer.HostEntry{Host: installer.Host{
		ID: id, Name: "named", Type: installer.BMS,
		Endpoint: installer.Endpoint{Address: address, Port: 22, User: "root"},
		Labels:   map[string]string{"env": "prod"},
	}}
	if id == "" {
		e.Host.ID = installer.InstanceID(installer.DefaultProject, address, 22)
	}
	e.Credentials.Password = installer.NewSecret(password)
	return e
}
