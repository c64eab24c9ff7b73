package control

// Followers counts them.
func (o *OnDemand) Followers() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := 0
	for _, r := range o.runs {
		n += len(r.leases)
	}
	return n
}

// NoEngine works on nothing.
type NoEngine struct{}

func (NoEngine) Wake()              {}
func (NoEngine) Cancel(string) bool { return false }
