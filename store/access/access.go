// Package access keeps what authenticates clients of the daemon: tokens, access keys,
// and the request signatures that have been seen.
package access

import (
	"context"
	"log/slog"
	"time"

	"tripod/installer"
	"tripod/store/kv"
	"tripod/store/vault"
)

var (
	tTokens     = kv.Table("tokens")   // first bytes of the hash → token
	tTokenNames = kv.Table("names")    // project, name → key of the token
	tKeys       = kv.Table("keys")     // access key → key, its secret key sealed
	tKeyNames   = kv.Table("keynames") // project, name → access key
	tSeen       = kv.Table("seen")     // time, signature → project/access key
)

// Tables are those of this room, and RowTables those of them that hold rows.
var (
	Tables    = []kv.Table{tTokens, tTokenNames, tKeys, tKeyNames, tSeen}
	RowTables = []kv.Table{tTokens, tKeys}
)

// Access is the room. Its methods can be called from many goroutines.
type Access struct {
	db         *kv.DB
	vault      *vault.Vault
	clock      func() time.Time
	logger     *slog.Logger
	note       Note
	signatures signatures
	noKey      []byte // see decoyKey
}

// Note puts entries into the audit log, in the transaction of what they are about.
type Note func(ctx context.Context, t *kv.Tx, at time.Time, entries ...installer.AuditEntry) error

// New returns what is kept in a database, with the signatures that still count.
func New(ctx context.Context, db *kv.DB, v *vault.Vault, note Note, clock func() time.Time, logger *slog.Logger) (*Access, error) {
	a := &Access{db: db, vault: v, clock: clock, logger: logger, note: note}
	var err error
	if a.noKey, err = a.decoyKey(); err != nil || db.ReadOnly() {
		return a, err
	}
	return a, db.View(ctx, a.loadSignatures)
}

// Close stores what waits to be stored.
func (a *Access) Close() {
	a.signatures.close()
	a.flushSignatures()
}
