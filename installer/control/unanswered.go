package control

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"tripod/installer"
	"tripod/installer/api"
)

// DefaultPatience is how long a client waits for a daemon that does not answer.
const DefaultPatience = 5 * time.Minute

// Unanswered: the daemon was asked in vain for as long as the client waits. What
// it had acknowledged before goes on there; whether it still took this request
// is not known.
type Unanswered struct{ Err error }

func (e *Unanswered) Error() string { return "the daemon does not answer: " + e.Err.Error() }
func (e *Unanswered) Unwrap() error { return e.Err }

// Patience sets how long a daemon that does not answer is waited for: by who
// follows a batch all of d, by any other request some seconds of it. 0: not at all.
func (c *Client) Patience(d time.Duration) { c.patience = d }

// givenUp makes an Unanswered of whatever kept a daemon from answering.
func givenUp(err error) error {
	if _, already := errors.AsType[*Unanswered](err); already {
		return err
	}
	return &Unanswered{err}
}

// asUnanswered marks the errors of a way on which no daemon has answered. What
// the user has interrupted is none of them.
func asUnanswered(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, installer.ErrShutdown) {
		return err
	}
	if _, already := errors.AsType[*Unanswered](err); already {
		return err
	}
	if e, answered := errors.AsType[*api.Error](err); answered { // by a proxy on the way
		if e.Status != http.StatusBadGateway && e.Status != http.StatusGatewayTimeout {
			return err
		}
		return &Unanswered{err}
	}
	_, dialled := errors.AsType[*url.Error](err)
	_, read := errors.AsType[net.Error](err)
	if dialled || read || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, context.DeadlineExceeded) {
		return &Unanswered{err}
	}
	return err
}

// answerStream is an answer that is read as it comes.
type answerStream struct{ io.ReadCloser }

func (s answerStream) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	if err != nil && err != io.EOF {
		err = asUnanswered(err)
	}
	return n, err
}
