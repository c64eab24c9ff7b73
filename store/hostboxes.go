package store

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"slices"

	"tripod/installer"
)

// The credentials of imported hosts live as long as the hosts are known, so
// they have epochs of their own. A key per host would be a file per host; one
// for all of them could never be destroyed. So a key is shared by a few, and
// when one of them has to be forgotten the others are sealed anew under
// another key before the old one is destroyed.

// hostsPerKey is how many imported hosts share a key.
const hostsPerKey = 100

// hostBoxes are changes of sealed rows, made ready before a transaction.
type hostBoxes struct {
	gone []string  // epochs to drop, and to destroy after the transaction
	made []string  // epochs that are new
	rows []hostBox // to store
	move []hostBox // of them, those of hosts that are known already
	key  []byte    // of the newest epoch
	used int       // how many rows it has

	batches []rekeyed // tasks that lose their login, and those that shared its key
	keys    []string  // that are new for these
}

type hostBox struct {
	epoch, host string
	sealed      []byte
}

// seal adds one host's credentials.
func (b *hostBoxes) seal(s *Store, project, host string, c installer.Credentials) (hostBox, error) {
	if b.key == nil || b.used == hostsPerKey {
		var id [8]byte
		_, _ = rand.Read(id[:]) // never fails
		epoch := "hosts-" + hex.EncodeToString(id[:])
		key, err := s.keys.create(epoch)
		if err != nil {
			return hostBox{}, err
		}
		clear(b.key)
		b.key, b.used = key, 0
		b.made = append(b.made, epoch)
	}
	b.used++
	epoch := b.made[len(b.made)-1]
	packed := packCredentials(c)
	defer clear(packed)
	box := hostBox{epoch, host, seal(b.key, packed, place(epoch, project, host, hostField))}
	b.rows = append(b.rows, box)
	return box, nil
}

// rekey seals the credentials of all hosts that share a key with one that is to
// lose its own anew, but for those that lose theirs.
func (s *Store) rekey(ctx context.Context, project string, lose []*knownHost) (hostBoxes, error) {
	var b hostBoxes
	losers := make(map[string]bool, len(lose))
	for _, k := range lose {
		losers[k.Host.ID] = true
		if !slices.Contains(b.gone, k.Kept) {
			b.gone = append(b.gone, k.Kept)
		}
	}
	for _, epoch := range b.gone {
		var stay []string
		err := s.view(ctx, func(t *tx) error {
			stay = nil
			prefix := join(epoch)
			for key := range t.all(bSealed, prefix) {
				if host := string(bytes.TrimSuffix(key[len(prefix):], []byte{0})); !losers[host] {
					stay = append(stay, host)
				}
			}
			return nil
		})
		if err != nil {
			return b, err
		}
		for _, host := range stay {
			c, err := s.openSealed(ctx, epoch, project, host, hostField)
			if isMissing(err) {
				continue
			}
			if err != nil {
				return b, err
			}
			box, err := b.seal(s, project, host, c)
			if err != nil {
				return b, err
			}
			b.move = append(b.move, box)
		}
	}
	return b, nil
}

// sealHosts seals what the plans bring, and tells each where.
func (s *Store) sealHosts(project string, plans []hostPlan, b *hostBoxes) error {
	for i := range plans {
		if isNone(plans[i].Credentials) {
			continue
		}
		box, err := b.seal(s, project, plans[i].host.ID, plans[i].Credentials)
		if err != nil {
			return err
		}
		plans[i].kept = box.epoch
	}
	return nil
}

// putBoxes stores the rows, and makes the hosts that moved point to theirs.
func (t *tx) putBoxes(project string, b hostBoxes) error {
	if err := t.putBatches(b.batches); err != nil {
		return err
	}
	for _, epoch := range b.gone {
		t.dropEpoch(epoch)
	}
	for _, id := range b.made {
		t.putRow(bEpochs, []byte(id), 0, epoch{ID: id, Hosts: true})
	}
	for _, row := range b.rows {
		t.put(bSealed, join(row.epoch, sealedName(row.host, hostField)), row.sealed)
	}
	for _, row := range b.move {
		k, err := t.knownHost(project, row.host)
		if err != nil {
			return err
		}
		if k == nil { // they are removed with their row
			return errors.Join(ErrDamaged, notFound("host", row.host))
		}
		k.Kept = row.epoch
		t.putHost(project, k, k)
	}
	return nil
}

// settleBoxes erases the keys that are not needed, after the transaction.
func (s *Store) settleBoxes(b hostBoxes, err error) {
	clear(b.key)
	if err == nil {
		for _, epoch := range b.gone {
			s.abandon(epoch, nil)
		}
		for _, r := range b.batches {
			s.abandon(r.from, nil)
		}
		return
	}
	for _, epoch := range slices.Concat(b.made, b.keys) {
		s.abandon(epoch, err)
	}
}
