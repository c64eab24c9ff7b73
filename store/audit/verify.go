package audit

import (
	"context"
	"fmt"

	"tripod/installer"
	"tripod/store/kv"
)

// VerifyAudit walks the whole chain for entries that were altered, taken out, put in, moved or
// cut off. That the whole database was replaced by an older copy only an anchor that was noted
// elsewhere since can tell. What is wrong with the log is in the report, not in the error.
func (l *Trail) VerifyAudit(ctx context.Context, anchors ...installer.AuditAnchor) (installer.AuditReport, error) {
	l.pruning.RLock()
	defer l.pruning.RUnlock()
	report := installer.AuditReport{Faults: []string{}}
	var head chainHead
	err := l.db.View(ctx, func(t *kv.Tx) error {
		var ok bool
		if head, ok = l.readHead(t); !ok {
			report.Fault("the end of the log is missing or altered: entries may have been cut off")
			head = l.remains(t)
		}
		// Entries outside of what the head says there is.
		there := l.remains(t)
		if there.Last > 0 && there.Base+1 <= head.Base {
			report.Fault("entries before %d, the first, have been put in", head.Base+1)
		}
		if there.Last > head.Last {
			report.Fault("entries after %d, the last, have been put in, or the end of the log was put back", head.Last)
		}
		return nil
	})
	report.First, report.Last = head.Base+1, head.Last
	report.Anchor = installer.AuditAnchor{Number: head.Last, Hash: head.LastHash}
	if err != nil {
		return report, err
	}
	v := verifier{log: l, report: &report, anchors: anchors, next: head.Base + 1, last: head.Last, previous: head.BaseHash}
	if err := v.checkAnchors(head); err != nil {
		return report, err
	}
	err = l.walk(ctx, head.Base, func(number uint64, row []byte) (bool, error) {
		if number > v.last {
			return false, nil
		}
		v.missing(number)
		v.entry(number, row)
		v.next = number + 1
		return true, nil
	})
	if err != nil {
		return report, err
	}
	v.missing(head.Last + 1)
	if v.previous != head.LastHash && report.FaultCount == 0 {
		report.Fault("entry %d is not the one that the log ended with", head.Last)
	}
	return report, nil
}

type verifier struct {
	log        *Trail
	report     *installer.AuditReport
	anchors    []installer.AuditAnchor
	next, last uint64
	previous   string
}

func (v *verifier) checkAnchors(head chainHead) error {
	for _, a := range v.anchors {
		switch {
		case a.Number < head.Base:
			return fmt.Errorf("anchor %d: the entries up to %d were pruned, so it cannot be looked for", a.Number, head.Base)
		case a.Number == head.Base && a.Hash != head.BaseHash:
			v.report.Fault("entry %d, since pruned, was not the one of the anchor", a.Number)
		case a.Number > head.Last:
			v.report.Fault("the log ends at entry %d, before the anchor %d: it was cut off, or the database replaced by an older copy", head.Last, a.Number)
		}
	}
	return nil
}

func (v *verifier) missing(number uint64) {
	switch {
	case number == v.next+1:
		v.report.Fault("entry %d is missing", v.next)
	case number > v.next:
		v.report.Fault("entries %d to %d are missing", v.next, number-1)
	}
}

func (v *verifier) entry(number uint64, row []byte) {
	stored, e, err := readEntry(row)
	if err != nil {
		v.report.Fault("entry %d cannot be read: %v", number, err)
		v.previous = noHash
		return
	}
	switch {
	case !v.log.isHashed('e', stored):
		v.report.Fault("entry %d was altered", number)
	case e.Number != number:
		v.report.Fault("entry %d stands where %d should", e.Number, number)
	case e.Previous != v.previous && number == v.next:
		v.report.Fault("entry %d does not follow the one before it", number)
	case e.Action == broken:
		v.report.Fault("before entry %d: %s", number, e.Detail)
	}
	v.previous = stored.Hash
	for _, a := range v.anchors {
		if a.Number == number && a.Hash != v.previous {
			v.report.Fault("entry %d is not the one of the anchor", number)
		}
	}
}

// AuditAnchor returns the present end of the chain, to be noted elsewhere.
func (l *Trail) AuditAnchor(ctx context.Context) (installer.AuditAnchor, error) {
	head, err := kv.Read(ctx, l.db, func(t *kv.Tx) (chainHead, error) {
		head, _ := l.readHead(t)
		return head, nil
	})
	return installer.AuditAnchor{Number: head.Last, Hash: head.LastHash}, err
}
