package vault

import (
	"fmt"
	"sync"

	"tripod/store/disk"
)

// flusher lets those who have written at about the same time share one fsync. After
// one that has failed, the system takes what was written before it for written: no
// later one brings it to disk.
type flusher struct {
	running sync.Mutex
	mu      sync.Mutex
	next    *flush // the one that has not begun
	failed  int    // how many have
	last    error  // of the last of them
	broken  error  // more room would not have helped
}

type flush struct {
	done chan struct{}
	err  error
}

// begin is called before what is written that now is to bring to disk.
func (f *flusher) begin() (since int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.failed, f.broken
}

// now returns when a sync that began after the call has ended. It fails if one has
// failed since begin.
func (f *flusher) now(since int, sync func() error) error {
	f.mu.Lock()
	if f.failed != since {
		defer f.mu.Unlock()
		return f.last
	}
	mine, lead := f.next, f.next == nil
	if lead {
		mine = &flush{done: make(chan struct{})}
		f.next = mine
	}
	f.mu.Unlock()
	if lead {
		f.running.Lock()
		f.run(mine, sync)
		f.running.Unlock()
	}
	<-mine.done
	return mine.err
}

func (f *flusher) run(mine *flush, sync func() error) {
	f.mu.Lock()
	ended := f.next != mine // with the one before
	if !ended {
		f.next = nil // who comes now has written too late for this one
	}
	f.mu.Unlock()
	if ended {
		return
	}
	mine.err = sync()
	if mine.err != nil {
		mine.err = f.fail(mine.err)
	}
	close(mine.done)
}

// fail ends the next one too: who waits for it has written already.
func (f *flusher) fail(err error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !disk.Curable(err) {
		err = fmt.Errorf("what was written may not be on disk, so no login key is made or erased until the state is opened again: %w", err)
		f.broken = err
	}
	f.failed, f.last = f.failed+1, err
	if f.next != nil {
		f.next.err = err
		close(f.next.done)
		f.next = nil
	}
	return err
}
