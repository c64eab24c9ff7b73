package control

import (
	"context"
	"sync"
)

// turns are taken one after the other by the requests about one thing, while
// those about others go on.
type turns struct {
	mu    sync.Mutex
	taken map[string]*turn // while somebody has it or waits for it
}

type turn struct {
	slot  chan struct{} // full while somebody has it
	users int           // who has it, and who waits
}

// take waits until nobody else has the turn for key, or ctx ends. leave gives it
// to the next one.
func (t *turns) take(ctx context.Context, key string) (leave func(), err error) {
	t.mu.Lock()
	if t.taken == nil {
		t.taken = map[string]*turn{}
	}
	mine := t.taken[key]
	if mine == nil {
		mine = &turn{slot: make(chan struct{}, 1)}
		t.taken[key] = mine
	}
	mine.users++
	t.mu.Unlock()
	select {
	case mine.slot <- struct{}{}:
		return func() {
			<-mine.slot
			t.forget(key, mine)
		}, nil
	case <-ctx.Done():
		t.forget(key, mine)
		return nil, ctx.Err()
	}
}

func (t *turns) forget(key string, mine *turn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if mine.users--; mine.users == 0 {
		delete(t.taken, key)
	}
}
