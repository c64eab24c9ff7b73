package installer

import (
	"errors"
	"io"
	"sync"
)

// jobOutput is the way of a script's output into the invocation's log. A log
// that cannot be written must not fail an installation that goes well on the
// host, so it takes everything and tells what was lost at the end.
type jobOutput struct {
	mu       sync.Mutex
	scrubber *Scrubber
	log      io.Closer
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

func (o *jobOutput) close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.lost == nil {
		o.lost = o.scrubber.Flush()
	}
	return errors.Join(o.lost, o.log.Close())
}
