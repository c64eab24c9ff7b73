// Package inventory keeps what is known of hosts: how each is reached, which login
// counts for it, what host key it has shown, which agent it runs, and which are
// jump hosts. Logins are sealed; their keys are the vault's.
package inventory

import (
	"context"

	"tripod/installer"
	"tripod/store/kv"
	"tripod/store/tasks"
	"tripod/store/vault"
)

var (
	THosts  = kv.Table{Name: "hosts", Rows: true} // project, host → known host
	TPlaces = kv.Table{Name: "places"}            // project, address and port, host → nothing
	TSetUp  = kv.Table{Name: "setup", Rows: true} // project, host → jump host
	TSealed = kv.Table{Name: "sealed"}            // key of a login → sealed credentials
	TPins   = kv.Table{Name: "pins"}              // project, address and port, key → when pinned
)

var Tables = []kv.Table{THosts, TPlaces, TSetUp, TSealed, TPins}

// Inventory is the room. Its methods can be called from many goroutines.
type Inventory struct {
	kv.Room
	vault *vault.Vault
}

func New(room kv.Room, v *vault.Vault) *Inventory { return &Inventory{room, v} }

// Tx is one transaction, with the keys that no row needs once it is on disk.
type Tx struct {
	tasks.Tx
	forget [][]byte
}

// View reads one consistent state, for a short time: a long reader makes the file
// grow.
func (s *Inventory) View(ctx context.Context, fn func(*Tx) error) error {
	return s.DB.View(ctx, func(k *kv.Tx) error { return fn(&Tx{Tx: tasks.Tx{Tx: k}}) })
}

// Update changes the state; see kv.DB.Update. The logins that fn drops or replaces
// are forgotten afterwards.
func (s *Inventory) Update(ctx context.Context, fn func(*Tx) error) error {
	if err := s.vault.Broken(); err != nil {
		return err // to be seen by all who change anything
	}
	var forget [][]byte
	err := s.DB.Update(ctx, func(k *kv.Tx) error {
		t := &Tx{Tx: tasks.Tx{Tx: k}}
		err := fn(t)
		forget = t.forget
		return err
	})
	if err == nil {
		s.Forget(forget...)
	}
	return err
}

func (s *Inventory) audit(ctx context.Context, t *Tx, e installer.AuditEntry, hosts ...installer.Host) error {
	for _, h := range hosts {
		e.Hosts = append(e.Hosts, installer.AuditHostOf(h))
	}
	return s.Note(ctx, t.Tx.Tx, s.Clock(), e)
}
