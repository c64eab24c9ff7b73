package limits

import (
	"io"
	"net/http"
	"time"
)

// Pace is how late a body may be: while it trickles in, it has a part of the budget
// that others wait for.
type Pace struct {
	Grace time.Duration // for the beginning, and what the network makes of it
	Rate  int64         // bytes a second, from the beginning on
}

// The paces of a body, and of one whose sender is not known yet.
var (
	BodyPace       = Pace{10 * time.Second, 64 << 10}
	UnverifiedPace = Pace{3 * time.Second, 64 << 10}
)

// until is how long after its beginning a body may go on of which n bytes are there;
// never longer than limit.
func (p Pace) until(n int64, limit time.Duration) time.Duration {
	seconds := n / p.Rate
	if seconds >= int64(limit/time.Second) {
		return limit
	}
	due := p.Grace + time.Duration(seconds)*time.Second + time.Duration(n%p.Rate)*time.Second/time.Duration(p.Rate)
	return min(due, limit)
}

// Body is a request's body that has to keep the pace and to be there within limit.
func (p Pace) Body(w http.ResponseWriter, body io.ReadCloser, limit time.Duration) io.ReadCloser {
	return &pacedBody{body, p, http.NewResponseController(w).SetReadDeadline, time.Now(), limit, 0}
}

// pacedBody moves the read deadline on as the body arrives.
type pacedBody struct {
	io.ReadCloser
	pace     Pace
	deadline func(time.Time) error
	began    time.Time
	limit    time.Duration // of all of it
	n        int64
}

func (b *pacedBody) Read(p []byte) (int, error) {
	_ = b.deadline(b.began.Add(b.pace.until(b.n, b.limit))) // a server that cannot (in tests) has none
	n, err := b.ReadCloser.Read(p)
	b.n += int64(n)
	if err == io.EOF { // net/http goes on reading, to see whether the client has disconnected
		_ = b.deadline(b.began.Add(b.limit))
	}
	return n, err
}
