package engine

import (
	"errors"
	"sync"

	"tripod/installer"
)

// jobOutput is the way of a script's output into the invocation's log. A log
// that cannot be written must not fail an installation that goes well on the
// host, so it takes everything and tells what was lost at the end.
type jobOutput struct {
	mu       sync.Mutex
	scrubber *installer.Scrubber
	log      installer.Log
	lost     error // the first error of the log
}

func (o *jobOutput) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.lost == nil {
		_, o.lost = o.scrubber.Write(p)
	}
	return len(p), nil
}

// Position implements installer.Rewinder.
func (o *jobOutput) Position() (int64, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.lost == nil {
		o.lost = o.scrubber.Flush()
	}
	if o.lost != nil {
		return 0, o.lost
	}
	return o.log.Position()
}

// Rewind implements installer.Rewinder.
func (o *jobOutput) Rewind(position int64) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := o.log.Rewind(position); err != nil {
		return err
	}
	o.scrubber.Drop()
	o.lost = nil
	return nil
}

func (o *jobOutput) close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.lost == nil {
		o.lost = o.scrubber.Flush()
	}
	return errors.Join(o.lost, o.log.Close())
}
