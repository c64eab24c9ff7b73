package installer

import "sync"

const maxTail = 4096

// Tail keeps the end of what is written to it.
type Tail struct {
	mu   sync.Mutex
	last []byte
}

func (t *Tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = append(t.last, p[max(0, len(p)-maxTail):]...)
	t.last = append(t.last[:0], t.last[max(0, len(t.last)-maxTail):]...)
	return len(p), nil
}

func (t *Tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.last)
}
