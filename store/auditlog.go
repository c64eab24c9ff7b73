package store

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"tripod/installer"
	"tripod/store/disk"
	"tripod/store/kv"
)

// The audit log is a chain: every entry holds the hash of the one before, and
// the head, in the meta table, that of the last. Hashes are keyed with the
// master key: who can write to the database but has not the key can break the
// chain, not make another one. Entries are written in the transaction of what
// they are about, so they cost no commit and cannot be missing.

// auditHash is keyed.
type auditHash [sha256.Size]byte

func (h auditHash) String() string { return hex.EncodeToString(h[:]) }

// auditSum hashes an entry or a head; what keeps the two apart.
func (s *Store) auditSum(what byte, text []byte) (sum auditHash) {
	h := hmac.New(sha256.New, s.auditKey)
	_, _ = h.Write([]byte{what})
	_, _ = h.Write(text)
	h.Sum(sum[:0])
	return sum
}

// auditHead is where the chain begins and ends.
type auditHead struct {
	base, last         uint64 // entries up to base were pruned
	baseHash, lastHash auditHash
}

const auditHeadSize = 8 + 8 + 3*sha256.Size

func (s *Store) putAuditHead(t *tx, h auditHead) {
	b := make([]byte, 0, auditHeadSize)
	b = binary.BigEndian.AppendUint64(b, h.base)
	b = binary.BigEndian.AppendUint64(b, h.last)
	b = append(append(b, h.baseHash[:]...), h.lastHash[:]...)
	sum := s.auditSum('h', b)
	t.Put(bMeta, keyAudit, append(b, sum[:]...))
}

// auditHead reads the head; ok is false if it is missing or altered.
func (s *Store) auditHead(t *tx) (h auditHead, ok bool) {
	b := t.Get(bMeta, keyAudit)
	if len(b) != auditHeadSize {
		return h, false
	}
	text, sum := b[:auditHeadSize-sha256.Size], b[auditHeadSize-sha256.Size:]
	h.base, h.last = binary.BigEndian.Uint64(text), binary.BigEndian.Uint64(text[8:])
	copy(h.baseHash[:], text[16:])
	copy(h.lastHash[:], text[16+sha256.Size:])
	want := s.auditSum('h', text)
	return h, hmac.Equal(sum, want[:])
}

// storedAudit is a row: the entry as it was hashed, byte for byte.
type storedAudit struct {
	Entry json.RawMessage `json:"entry"`
	Hash  []byte          `json:"hash"`
}

func auditRow(number uint64) []byte { return binary.BigEndian.AppendUint64(nil, number) }

// audit appends entries, within the transaction of what they are about. Who
// acts is taken from ctx where an entry does not say.
func (s *Store) audit(ctx context.Context, t *tx, at time.Time, entries ...installer.AuditEntry) error {
	head, ok := s.auditHead(t)
	if !ok || t.Get(bAudit, auditRow(head.last+1)) != nil {
		// Somebody has been at it. Work goes on, and this entry, which cannot be
		// taken out again without the key, says so for ever.
		head = t.auditRemains()
		entries = append([]installer.AuditEntry{{Action: auditBroken, Detail: "the end of the log was missing or altered here"}}, entries...)
	}
	for _, e := range entries {
		head.last++
		e.Number, e.At, e.Previous = head.last, at.UTC(), head.lastHash.String()
		if e.By == "" {
			e.By = installer.ActorOf(ctx)
		}
		text, err := json.Marshal(e)
		if err != nil {
			return err
		}
		head.lastHash = s.auditSum('e', text)
		t.PutRow(bAudit, auditRow(head.last), head.last, storedAudit{text, head.lastHash[:]})
	}
	s.putAuditHead(t, head)
	return nil
}

// auditBroken marks where the chain was found broken.
const auditBroken installer.Action = "log-broken"

// auditRemains is a head made of what rows there are.
func (t *tx) auditRemains() auditHead {
	var h auditHead
	if k, _ := t.First(bAudit, nil); len(k) == 8 {
		h.base = binary.BigEndian.Uint64(k) - 1
	}
	if k, _ := t.Last(bAudit, nil); len(k) == 8 {
		h.last = binary.BigEndian.Uint64(k)
	}
	return h
}

// auditRequest notes that work was asked for.
func (s *Store) auditRequest(ctx context.Context, t *tx, at time.Time, head installer.BatchHead, records []*record) error {
	var entries []installer.AuditEntry
	for _, r := range records {
		last := len(entries) - 1
		task := ""
		switch {
		case r.Spec.CheckOnly:
			task = "only a look"
		case r.Task() != r.Type:
			task = "of " + string(r.Task())
		}
		if last < 0 || len(entries[last].Hosts) == auditHostsMost || entries[last].Type != r.Type || entries[last].Detail != task {
			entries = append(entries, installer.AuditEntry{
				Project: head.ProjectID, Action: installer.AuditRequest, By: head.By, Batch: head.ID, Type: r.Type, Detail: task,
			})
			last++
		}
		entries[last].Hosts = append(entries[last].Hosts, installer.AuditHostOf(r.Host))
	}
	return s.audit(ctx, t, at, entries...)
}

// auditHostsMost is how many hosts one entry names.
const auditHostsMost = 100

// auditManaged notes what was done to known hosts.
func (s *Store) auditManaged(ctx context.Context, t *tx, project string, action installer.Action, hosts []installer.Host) error {
	var entries []installer.AuditEntry
	for some := range slices.Chunk(hosts, auditHostsMost) {
		e := installer.AuditEntry{Project: project, Action: action}
		for _, h := range some {
			e.Hosts = append(e.Hosts, installer.AuditHostOf(h))
		}
		entries = append(entries, e)
	}
	return s.audit(ctx, t, s.o.Clock(), entries...)
}

// auditRefresh notes that open work was given other credentials.
func (s *Store) auditRefresh(ctx context.Context, t *tx, at time.Time, batchID string, records []*record) error {
	var entries []installer.AuditEntry
	for some := range slices.Chunk(records, auditHostsMost) {
		e := installer.AuditEntry{Project: some[0].ProjectID, Action: installer.AuditCredentials, Batch: batchID}
		for _, r := range some {
			e.Hosts = append(e.Hosts, installer.AuditHostOf(r.Host))
		}
		entries = append(entries, e)
	}
	return s.audit(ctx, t, at, entries...)
}

// deniedMost is how many of the denied addresses of one request are named.
const deniedMost = 10

// NoteDenied notes that work was asked for on addresses that the target policy
// denies: one entry for a request, with the first ten of them and why the first
// one is denied. An empty t: of more than one type, or not known.
func (s *Store) NoteDenied(ctx context.Context, project string, t installer.Type, hosts []installer.AuditHost, why string) error {
	detail := fmt.Sprintf("1 address: %s", why)
	if n := len(hosts); n != 1 {
		detail = fmt.Sprintf("%d addresses: %s", n, why)
	}
	return s.update(ctx, func(tx *tx) error {
		return s.audit(ctx, tx, s.o.Clock(), installer.AuditEntry{
			Project: project, Action: installer.AuditDenied, Type: t, Kind: installer.KindPolicyDenied,
			Hosts: hosts[:min(len(hosts), deniedMost)], Detail: detail,
		})
	})
}

// packageSubject names a package.
func packageSubject(p installer.Package) string {
	return fmt.Sprintf("%s %s %s %s %.12s", p.Target, p.Version, p.Arch, p.Edition, p.SHA256)
}

// auditWork notes what happens to one invocation.
func (s *Store) auditWork(ctx context.Context, t *tx, at time.Time, r *record, e installer.AuditEntry) error {
	e.Project, e.Batch, e.Invocation, e.Type = r.ProjectID, r.BatchID, r.ID, r.Type
	e.Hosts = []installer.AuditHost{installer.AuditHostOf(r.Host)}
	if e.Action == installer.AuditBegin || e.Action == installer.AuditEnd {
		head, err := t.head(r.BatchID)
		if err != nil {
			return err
		}
		if head != nil {
			e.By = head.By
		}
	}
	if e.By == "" {
		e.By = installer.ActorOf(ctx)
	}
	return s.audit(ctx, t, at, e)
}

// auditChunk is how many entries one read transaction looks at.
const auditChunk = 1000

// Audit returns entries, the oldest first.
func (s *Store) Audit(ctx context.Context, f installer.AuditFilter) ([]installer.AuditEntry, error) {
	found := []installer.AuditEntry{}
	for more := true; more; {
		err := s.view(ctx, func(t *tx) error {
			more = false
			n := 0
			for k, row := range t.From(bAudit, auditRow(f.After+1)) {
				if n++; n > auditChunk {
					more = true
					return nil
				}
				if f.Limit > 0 && len(found) == f.Limit {
					return nil
				}
				var stored storedAudit
				var e installer.AuditEntry
				if _, err := kv.ReadRow(row, &stored); err != nil {
					return err
				}
				if err := json.Unmarshal(stored.Entry, &e); err != nil {
					return fmt.Errorf("%w: an audit entry cannot be read: %v", disk.ErrDamaged, err)
				}
				f.After = binary.BigEndian.Uint64(k)
				if (f.Project == "" || e.Project == f.Project) && !e.At.Before(f.Since) {
					found = append(found, e)
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return found, nil
}

// PruneAudit drops the entries before a time, oldest first, some at a time, and
// notes that in entries of their own. It returns how many there were.
func (s *Store) PruneAudit(ctx context.Context, before time.Time) (int, error) {
	s.pruning.Lock()
	defer s.pruning.Unlock()
	dropped := 0
	for more := true; more; {
		n := 0
		err := s.update(ctx, func(t *tx) (err error) {
			n, err = s.pruneSome(ctx, t, before)
			return err
		})
		if err != nil {
			return dropped, err
		}
		dropped += n
		more = n == auditChunk
	}
	return dropped, nil
}

// pruneSome drops at most a chunk, and notes it in the same transaction.
func (s *Store) pruneSome(ctx context.Context, t *tx, before time.Time) (int, error) {
	head, ok := s.auditHead(t)
	if !ok {
		return 0, fmt.Errorf("the audit log is not in order: look with `tripod audit verify` before anything is dropped")
	}
	var keys [][]byte
	for k, row := range t.From(bAudit, auditRow(head.base+1)) {
		var stored storedAudit
		var e installer.AuditEntry
		if _, err := kv.ReadRow(row, &stored); err != nil {
			return 0, err
		}
		if err := json.Unmarshal(stored.Entry, &e); err != nil {
			return 0, err
		}
		if !e.At.Before(before) || len(keys) == auditChunk {
			break
		}
		keys = append(keys, bytes.Clone(k))
		head.base = e.Number
		copy(head.baseHash[:], stored.Hash)
	}
	for _, k := range keys {
		t.Del(bAudit, k)
	}
	if len(keys) == 0 {
		return 0, nil
	}
	s.putAuditHead(t, head)
	detail := fmt.Sprintf("%d entries before %s", len(keys), before.UTC().Format(time.RFC3339))
	return len(keys), s.audit(ctx, t, s.o.Clock(), installer.AuditEntry{Project: installer.ActorProjectOf(ctx), Action: installer.AuditPrune, Detail: detail})
}
