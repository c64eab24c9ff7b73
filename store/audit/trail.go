// Package audit keeps the log of who did what. It is a chain of keyed hashes, with a head
// that has the last one: who can write to the database but has not the key can break the
// chain, not make another one. Entries are written in the transaction of what they are
// about, so they cost no commit and cannot be missing.
package audit

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"tripod/installer"
	"tripod/store/disk"
	"tripod/store/kv"
)

var (
	tEntries = kv.Table{Name: "audit", Rows: true} // number → entry
	tHead    = kv.Table{Name: "audithead"}         // nothing → where the chain begins and ends
)

// Tables are those of the log.
var Tables = []kv.Table{tEntries, tHead}

var headKey = []byte("head")

// Trail is the audit log. Its methods can be called from many goroutines.
type Trail struct {
	db    *kv.DB
	key   []byte // of the hashes
	clock func() time.Time

	pruning sync.RWMutex // readers walk all of it
}

// New returns the log that is kept in a database, with the key of its hashes.
func New(db *kv.DB, key []byte, clock func() time.Time) *Trail {
	return &Trail{db: db, key: key, clock: clock}
}

// Begin writes the head of an empty log into a new database.
func Begin(t *kv.Tx, key []byte) {
	(&Trail{key: key}).putHead(t, chainHead{BaseHash: noHash, LastHash: noHash})
}

var noHash = strings.Repeat("0", 2*sha256.Size)

// sum hashes an entry or a head, keyed and in hex; what keeps the two apart.
func (l *Trail) sum(what byte, text []byte) string {
	h := hmac.New(sha256.New, l.key)
	_, _ = h.Write([]byte{what})
	_, _ = h.Write(text)
	return hex.EncodeToString(h.Sum(nil))
}

// hashedRow is a row: an entry or the head as it was hashed, byte for byte.
type hashedRow struct {
	Entry json.RawMessage `json:"entry"`
	Hash  string          `json:"hash"`
}

func (l *Trail) hashed(what byte, v any) (hashedRow, error) {
	text, err := json.Marshal(v)
	return hashedRow{text, l.sum(what, text)}, err
}

func (l *Trail) isHashed(what byte, r hashedRow) bool {
	return hmac.Equal([]byte(r.Hash), []byte(l.sum(what, r.Entry)))
}

type chainHead struct {
	Base     uint64 `json:"base"` // entries up to this one were pruned
	Last     uint64 `json:"last"`
	BaseHash string `json:"base_hash"`
	LastHash string `json:"last_hash"`
}

func (l *Trail) putHead(t *kv.Tx, h chainHead) {
	row, err := l.hashed('h', h)
	t.Fail(err)
	t.PutRow(tHead, headKey, 0, row)
}

func (l *Trail) readHead(t *kv.Tx) (h chainHead, ok bool) {
	var row hashedRow
	if _, err := kv.ReadRow(t.Get(tHead, headKey), &row); err != nil || !l.isHashed('h', row) {
		return h, false
	}
	return h, json.Unmarshal(row.Entry, &h) == nil
}

func readEntry(row []byte) (stored hashedRow, e installer.AuditEntry, err error) {
	if _, err = kv.ReadRow(row, &stored); err == nil {
		err = json.Unmarshal(stored.Entry, &e)
	}
	if err != nil {
		err = fmt.Errorf("%w: an audit entry cannot be read: %w", disk.ErrDamaged, err)
	}
	return stored, e, err
}

const hostsMost = 100

func split(entries []installer.AuditEntry) (all []installer.AuditEntry) {
	for _, e := range entries {
		for hosts := range slices.Chunk(e.Hosts, hostsMost) {
			some := e
			some.Hosts = hosts
			all = append(all, some)
		}
		if len(e.Hosts) == 0 {
			all = append(all, e)
		}
	}
	return all
}

// Append notes entries, within the transaction of what they are about. Who
// acts is taken from ctx where an entry does not say.
func (l *Trail) Append(ctx context.Context, t *kv.Tx, at time.Time, entries ...installer.AuditEntry) error {
	head, ok := l.readHead(t)
	entries = split(entries)
	if !ok || t.Get(tEntries, kv.Number(head.Last+1)) != nil {
		// Somebody has been at it. Work goes on, and this entry, which cannot be
		// taken out again without the key, says so for ever.
		head = l.remains(t)
		entries = append([]installer.AuditEntry{{Action: broken, Detail: "the end of the log was missing or altered here"}}, entries...)
	}
	for _, e := range entries {
		head.Last++
		e.Number, e.At, e.Previous = head.Last, at.UTC(), head.LastHash
		e.By = cmp.Or(e.By, installer.ActorOf(ctx))
		row, err := l.hashed('e', e)
		if err != nil {
			return err
		}
		head.LastHash = row.Hash
		t.PutRow(tEntries, kv.Number(head.Last), head.Last, row)
	}
	l.putHead(t, head)
	return nil
}

// broken marks where the chain was found broken.
const broken installer.Action = "log-broken"

func (l *Trail) remains(t *kv.Tx) chainHead {
	h := chainHead{BaseHash: noHash, LastHash: noHash}
	if k, _ := kv.First(t.All(tEntries, nil)); len(k) == 8 {
		h.Base = binary.BigEndian.Uint64(k) - 1
	}
	if k, _ := kv.First(t.AllBackwards(tEntries, nil)); len(k) == 8 {
		h.Last = binary.BigEndian.Uint64(k)
	}
	return h
}

const deniedMost = 10

// NoteDenied notes, in one entry for a request, that work was asked for on addresses that the
// target policy denies. An empty t: of more than one type, or not known.
func (l *Trail) NoteDenied(ctx context.Context, project string, t installer.Type, hosts []installer.AuditHost, why string) error {
	detail := fmt.Sprintf("%d addresses: %s", len(hosts), why)
	if len(hosts) == 1 {
		detail = "1 address: " + why
	}
	return l.db.Update(ctx, func(tx *kv.Tx) error {
		return l.Append(ctx, tx, l.clock(), installer.AuditEntry{
			Project: project, Action: installer.AuditDenied, Type: t, Kind: installer.KindPolicyDenied,
			Hosts: hosts[:min(len(hosts), deniedMost)], Detail: detail,
		})
	})
}

const chunkSize = 1000

// walk reads the rows after one, in several transactions, as long as do says so.
func (l *Trail) walk(ctx context.Context, after uint64, do func(number uint64, row []byte) (bool, error)) error {
	for more := true; more; {
		err := l.db.View(ctx, func(t *kv.Tx) error {
			more = false
			n := 0
			for k, row := range t.From(tEntries, kv.Number(after+1)) {
				if n++; n > chunkSize {
					more = true
					return nil
				}
				after = binary.BigEndian.Uint64(k)
				if ok, err := do(after, row); !ok || err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Audit returns entries, the oldest first.
func (l *Trail) Audit(ctx context.Context, f installer.AuditFilter) ([]installer.AuditEntry, error) {
	found := []installer.AuditEntry{}
	err := l.walk(ctx, f.After, func(_ uint64, row []byte) (bool, error) {
		if f.Limit > 0 && len(found) == f.Limit {
			return false, nil
		}
		_, e, err := readEntry(row)
		if err == nil && (f.Project == "" || e.Project == f.Project) && !e.At.Before(f.Since) {
			found = append(found, e)
		}
		return true, err
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// PruneAudit drops the entries before a time, oldest first, some at a time, and
// notes that in entries of their own. It returns how many there were.
func (l *Trail) PruneAudit(ctx context.Context, before time.Time) (int, error) {
	l.pruning.Lock()
	defer l.pruning.Unlock()
	dropped := 0
	for n := chunkSize; n == chunkSize; {
		err := l.db.Update(ctx, func(t *kv.Tx) (err error) {
			n, err = l.pruneSome(ctx, t, before)
			return err
		})
		if err != nil {
			return dropped, err
		}
		dropped += n
	}
	return dropped, nil
}

func (l *Trail) pruneSome(ctx context.Context, t *kv.Tx, before time.Time) (n int, err error) {
	head, ok := l.readHead(t)
	if !ok {
		return 0, errors.New("the audit log is not in order: look with `tripod audit verify` before anything is dropped")
	}
	first := head.Base
	n = t.DelAll(tEntries, func(yield func(k, row []byte) bool) {
		for k, row := range t.From(tEntries, kv.Number(head.Base+1)) {
			stored, e, wrong := readEntry(row)
			err = wrong
			if err != nil || !e.At.Before(before) || e.Number > first+chunkSize || !yield(k, row) {
				return
			}
			head.Base = e.Number
			head.BaseHash = stored.Hash
		}
	})
	if n == 0 || err != nil {
		return 0, err
	}
	l.putHead(t, head)
	return n, l.Append(ctx, t, l.clock(), installer.AuditEntry{
		Project: installer.ActorProjectOf(ctx), Action: installer.AuditPrune,
		Detail: fmt.Sprintf("%d entries before %s", n, before.UTC().Format(time.RFC3339)),
	})
}
