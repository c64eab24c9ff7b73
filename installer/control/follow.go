package control

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"time"

	"tripod/installer"
	"tripod/installer/api"
)

const (
	// longestStream bounds a daemon's stream: it is followed on by the next one. So the
	// limits of the server and of proxies hold, and a lost client is noticed.
	longestStream = 25 * time.Second
	// gatherTime is how long the stream waits for more once there is something, so that a
	// busy engine does not send every event alone.
	gatherTime = 50 * time.Millisecond
)

// following is the stream of one follower.
type following struct {
	*service
	ctx   context.Context
	what  followed
	after uint64
	lease *lease // nil: a daemon works by itself
}

// follow begins to follow, and to work where no daemon does. What cannot be taken
// together with the work that goes on is refused.
func (s *service) follow(ctx context.Context, who principal, in followRequest) (api.Stream, error) {
	if !installer.IDForm.MatchString(in.Follower) {
		return api.Stream{}, installer.Faults{{Where: "follower", What: installer.IDRule}}
	}
	if _, err := s.batch(ctx, who, in.BatchID); err != nil {
		return api.Stream{}, err
	}
	f := &following{service: s, ctx: ctx, what: in.followed(who), after: in.After}
	var err error
	if s.onDemand != nil {
		f.lease, err = s.onDemand.join(ctx, f.what, in)
	}
	return api.Stream{ReadCloser: f}, err
}

func (s *service) leave(_ context.Context, who principal, in followRequest) (none struct{}, err error) {
	if s.onDemand != nil {
		err = s.onDemand.leave(in.followed(who), in.Follower)
	}
	return none, err
}

func (r followRequest) followed(who principal) followed {
	return followed{who.Project, installer.ClaimFilter(r.OfBatch)}
}

// Read is not used: see WriteTo.
func (f *following) Read([]byte) (int, error) { return 0, io.EOF }

// Close ends the lease of a follower that has disconnected.
func (f *following) Close() error {
	if f.lease != nil {
		f.onDemand.drop(f.lease)
	}
	return nil
}

// WriteTo sends the stream: what has happened, and then what happens.
func (f *following) WriteTo(w io.Writer) (int64, error) {
	out, flush := json.NewEncoder(w), http.NewResponseController(w.(http.ResponseWriter)).Flush
	var over <-chan struct{}
	if f.lease != nil {
		over = f.lease.over
	} else {
		limited, cancel := context.WithTimeout(f.ctx, longestStream)
		defer cancel()
		over = limited.Done()
	}
	last := false
	for first := true; ; first = false {
		p, more, closed := f.Hub.since(f.what.project, f.what.BatchID, f.after)
		var err error
		if p.Open, err = openOf(f.ctx, f.Store, f.what); err != nil {
			return 0, nil // it is asked again, and answered with that
		}
		f.after, p.Daemon = p.Cursor, f.lease == nil
		if last && f.lease != nil {
			p.End = f.lease.end
		}
		if last = last || closed || p.Open == 0; first || last || p.Missed || len(p.Events) > 0 {
			if out.Encode(p) != nil || flush() != nil || last {
				return 0, nil // the last document, or the client has disconnected
			}
		}
		select {
		case <-more:
			time.Sleep(gatherTime)
		case <-over: // its last events come before
			last = true
		case <-f.ctx.Done():
			return 0, nil
		}
	}
}

// openOf counts what is followed and has not ended.
func openOf(ctx context.Context, store installer.Ledger, what followed) (int, error) {
	if what.InvocationID == "" {
		head, err := store.Batch(ctx, what.project, what.BatchID)
		return head.Open, err
	}
	inv, err := store.Invocation(ctx, what.project, what.InvocationID)
	if err != nil || inv.State.Terminal() {
		return 0, err
	}
	return 1, nil
}
