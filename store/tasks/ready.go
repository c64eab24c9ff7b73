package tasks

import (
	"bytes"
	"encoding/binary"
	"time"

	"tripod/store/kv"
)

// The ready index holds every PENDING invocation whose host was free when last looked at, once for all
// batches (the empty scope) and once for its own: class 0 is ready in the order of creation, class 1 at
// its NotBefore. One that is ready while its host is busy is parked on the host's wait list. When the host
// is free again, the first one of each batch comes back: nobody may be working on one batch.
const (
	classNow   = 0
	classTimed = 1
)

func (r *Record) order(prefix []byte) []byte {
	if r.NotBefore.IsZero() {
		return kv.Stamped(append(prefix, classNow), r.Created, r.Seq)
	}
	return kv.Stamped(append(prefix, classTimed), r.NotBefore, r.Seq)
}

func (r *Record) readyKeys() [2][]byte {
	return [2][]byte{r.order(kv.Join("")), r.order(kv.Join(r.BatchID))}
}

// WaitKey is its place in the wait list of its host.
func (r *Record) WaitKey() []byte { return r.order(kv.Join(r.ProjectID, r.Host.ID, r.BatchID)) }

// Enqueue makes a PENDING invocation claimable.
func (t Tx) Enqueue(r *Record) {
	if t.Get(TBusy, r.HostKey()) != nil {
		t.Put(TWaiting, r.WaitKey(), []byte(r.ID))
		return
	}
	t.makeReady(r)
}

func (t Tx) makeReady(r *Record) {
	for _, key := range r.readyKeys() {
		t.Put(TReady, key, []byte(r.ID))
	}
}

// Dequeue takes an invocation out, wherever it waits. Call it before anything
// that its place depends on is changed.
func (t Tx) Dequeue(r *Record) {
	if t.Get(TWaiting, r.WaitKey()) != nil {
		t.Del(TWaiting, r.WaitKey())
		return
	}
	for _, key := range r.readyKeys() {
		t.Del(TReady, key)
	}
}

// Release brings back the first waiting invocation of each batch, if nothing
// runs on the host.
func (t Tx) Release(project, host string) {
	hostKey := kv.Join(project, host)
	if t.Get(TBusy, hostKey) != nil {
		return
	}
	for next := hostKey; ; {
		key, id := kv.First(t.From(TWaiting, next))
		if !bytes.HasPrefix(key, hostKey) {
			return
		}
		next = kv.Following(key[:len(key)-17]) // the rest of this batch is skipped
		r := t.Listed(string(id))
		t.Del(TWaiting, bytes.Clone(key))
		t.makeReady(r)
	}
}

// Due finds the first invocation of the scope that is ready at now, or else
// when the first one will be.
func (t Tx) Due(scope string, now time.Time) (id string, at time.Time) {
	plainKey, plain := kv.First(t.All(TReady, append(kv.Join(scope), classNow)))
	timedKey, timed := kv.First(t.All(TReady, append(kv.Join(scope), classTimed)))
	if timedKey != nil {
		if us := binary.BigEndian.Uint64(kv.StampOf(timedKey)); us > kv.Micros(now) {
			timedKey, at = nil, kv.FromMicros(us)
		}
	}
	switch {
	case plainKey == nil && timedKey == nil:
		return "", at
	case plainKey != nil && (timedKey == nil || bytes.Compare(kv.StampOf(plainKey), kv.StampOf(timedKey)) <= 0):
		return string(plain), time.Time{}
	}
	return string(timed), time.Time{}
}
