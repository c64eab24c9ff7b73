package api

import (
	"net/http"
	"time"

	"tripod/installer/api/limits"
)

// An answer is given up where the client takes no step of it for so long.
const (
	answerPace   = 10 * time.Second
	strangerPace = 3 * time.Second
	answerStep   = 32 << 10
)

// holds is what a request has of the budget. It is a stranger's until its project has
// lent it room.
type holds struct {
	header   int64
	size     int64 // of the body
	stranger *limits.Stranger
	small    *limits.Loan
	large    *limits.Loan // for the body
}

// enter counts a request before anything is done for it.
func (h *handler) enter(c *Request) bool {
	if h.budget == nil {
		return true
	}
	c.header = limits.HeaderSize(c.Request)
	c.stranger = h.budget.Strangers.Enter(c.Context(), c.RemoteAddr)
	return c.stranger.Take(c.header)
}

// lend waits for the room for all of the request. Until then it may have to make room.
func (h *handler) lend(c *Request) (err error) {
	small, large := c.header+limits.AnswerRoom+c.size, int64(0)
	if c.size > limits.SmallBody {
		small, large = small-c.size, c.size
	}
	if c.small, err = h.budget.Small.Borrow(c.Context(), c.Principal.Project, small); err != nil {
		return err
	}
	if large > 0 {
		if c.large, err = h.budget.Large.Borrow(c.Context(), c.Principal.Project, large); err != nil {
			return err
		}
	}
	c.stranger.Leave()
	return nil
}

// answers is called when nothing but the answer is held from now on.
func (c *Request) answers(size int) {
	c.Body = nil
	c.large.Close()
	if c.small != nil {
		c.small.Resize(c.header + int64(size))
	}
}

func (c *Request) giveBack() {
	c.stranger.Leave()
	c.small.Close()
	c.large.Close()
}

// send writes an answer to its end: what net/http kept of it would be written when
// nobody counts it any more.
func (h *handler) send(w http.ResponseWriter, c *Request, b []byte) {
	rc, pace := http.NewResponseController(w), strangerPace
	if c.small != nil {
		pace = answerPace
	}
	for more := true; more; more = len(b) > 0 {
		if h.budget != nil {
			_ = rc.SetWriteDeadline(time.Now().Add(pace)) // a server that cannot (in tests) has none
		}
		n, err := w.Write(b[:min(len(b), answerStep)])
		if err != nil {
			return
		}
		_ = rc.Flush() // the next Write tells what went wrong
		b = b[n:]
	}
}
