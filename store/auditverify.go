package store

import (
	"context"
	"crypto/hmac"
	"encoding/binary"
	"encoding/json"
	"fmt"

	"tripod/installer"
	"tripod/store/kv"
)

// VerifyAudit walks the whole chain: it notices entries that were altered,
// taken out, put in, moved, or cut off at either end. That the whole database
// was replaced by an older copy it can notice only by an anchor that was noted
// elsewhere since; those that are given are looked for. What is wrong with the
// log is in the report, not in the error.
func (s *Store) VerifyAudit(ctx context.Context, anchors ...installer.AuditAnchor) (installer.AuditReport, error) {
	s.pruning.RLock()
	defer s.pruning.RUnlock()
	report := installer.AuditReport{Faults: []string{}}
	var head auditHead
	err := s.view(ctx, func(t *tx) error {
		var ok bool
		if head, ok = s.auditHead(t); !ok {
			report.Fault("the end of the log is missing or altered: entries may have been cut off")
			head = t.auditRemains()
		}
		t.auditStrays(head, &report)
		return nil
	})
	report.First, report.Last = head.base+1, head.last
	report.Anchor = installer.AuditAnchor{Number: head.last, Hash: head.lastHash.String()}
	if err != nil {
		return report, err
	}
	v := verifier{s: s, report: &report, anchors: anchors, next: head.base + 1, last: head.last, previous: head.baseHash}
	if err := v.checkAnchors(head); err != nil {
		return report, err
	}
	for more := true; more; {
		err := s.view(ctx, func(t *tx) error {
			more = v.chunk(t)
			return nil
		})
		if err != nil {
			return report, err
		}
	}
	v.missing(head.last + 1)
	if v.previous != head.lastHash && report.FaultCount == 0 {
		report.Fault("entry %d is not the one that the log ended with", head.last)
	}
	return report, nil
}

// auditStrays looks for entries outside of what the head says there is.
func (t *tx) auditStrays(head auditHead, report *installer.AuditReport) {
	if k, _ := t.First(bAudit, nil); len(k) == 8 && binary.BigEndian.Uint64(k) <= head.base {
		report.Fault("entries before %d, the first, have been put in", head.base+1)
	}
	if k, _ := t.Last(bAudit, nil); len(k) == 8 && binary.BigEndian.Uint64(k) > head.last {
		report.Fault("entries after %d, the last, have been put in, or the end of the log was put back", head.last)
	}
}

// verifier is a walk along the chain.
type verifier struct {
	s          *Store
	report     *installer.AuditReport
	anchors    []installer.AuditAnchor
	next, last uint64
	previous   auditHash
}

// checkAnchors looks at those that no entry will show.
func (v *verifier) checkAnchors(head auditHead) error {
	for _, a := range v.anchors {
		switch {
		case a.Number < head.base:
			return fmt.Errorf("anchor %d: the entries up to %d were pruned, so it cannot be looked for", a.Number, head.base)
		case a.Number == head.base && a.Hash != head.baseHash.String():
			v.report.Fault("entry %d, since pruned, was not the one of the anchor", a.Number)
		case a.Number > head.last:
			v.report.Fault("the log ends at entry %d, before the anchor %d: it was cut off, or the database replaced by an older copy", head.last, a.Number)
		}
	}
	return nil
}

// chunk checks the next entries and reports whether there may be more.
func (v *verifier) chunk(t *tx) (more bool) {
	n := 0
	for k, row := range t.From(bAudit, auditRow(v.next)) {
		number := binary.BigEndian.Uint64(k)
		if number > v.last {
			return false
		}
		if n++; n > auditChunk {
			return true
		}
		v.missing(number)
		v.entry(number, row)
		v.next = number + 1
	}
	return false
}

// missing notes a gap before the entry.
func (v *verifier) missing(number uint64) {
	switch {
	case number == v.next+1:
		v.report.Fault("entry %d is missing", v.next)
	case number > v.next:
		v.report.Fault("entries %d to %d are missing", v.next, number-1)
	}
}

func (v *verifier) entry(number uint64, row []byte) {
	var stored storedAudit
	var e installer.AuditEntry
	_, err := kv.ReadRow(row, &stored)
	if err == nil {
		err = json.Unmarshal(stored.Entry, &e)
	}
	if err != nil {
		v.report.Fault("entry %d cannot be read: %v", number, err)
		v.previous = auditHash{}
		return
	}
	sum := v.s.auditSum('e', stored.Entry)
	switch {
	case !hmac.Equal(sum[:], stored.Hash):
		v.report.Fault("entry %d was altered", number)
	case e.Number != number:
		v.report.Fault("entry %d stands where %d should", e.Number, number)
	case e.Previous != v.previous.String() && number == v.next:
		v.report.Fault("entry %d does not follow the one before it", number)
	case e.Action == auditBroken:
		v.report.Fault("before entry %d: %s", number, e.Detail)
	}
	copy(v.previous[:], stored.Hash)
	for _, a := range v.anchors {
		if a.Number == number && a.Hash != v.previous.String() {
			v.report.Fault("entry %d is not the one of the anchor", number)
		}
	}
}

// AuditAnchor returns the present end of the chain, to be noted elsewhere.
func (s *Store) AuditAnchor(ctx context.Context) (installer.AuditAnchor, error) {
	var head auditHead
	err := s.view(ctx, func(t *tx) error {
		head, _ = s.auditHead(t)
		return nil
	})
	return installer.AuditAnchor{Number: head.last, Hash: head.lastHash.String()}, err
}
