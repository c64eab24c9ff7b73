package api

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"
	"time"

	"tripod/installer/api/limits"
)

// maxBody bounds a request's body, in bytes: 100 hosts with PEM keys of 3000
// characters are a sixth of it.
const maxBody = limits.SmallBody

// unverifiedStep is how much of an unverified body is taken first; then it doubles. So
// who only announces a large one takes no more.
const unverifiedStep = 4 << 10

func (c *Request) sends() bool { return c.Method == http.MethodPost || c.Method == http.MethodPut }

// receive reads the body of a request that may be answered. A signature counts as seen
// before anything of the body is checked.
func (h *handler) receive(w http.ResponseWriter, c *Request, rt Route) error {
	has := c.sends() || c.claim != nil
	if err := h.borrow(w, c, rt, has); err != nil || !has {
		return err
	}
	if err := h.readBody(w, c, rt); err != nil {
		return err
	}
	if c.claim != nil {
		if err := h.checkSigned(c, rt); err != nil {
			return err
		}
	}
	if !c.sends() {
		return nil
	}
	return checkContent(c)
}

// borrow waits until the caller's project has room for the request.
func (h *handler) borrow(w http.ResponseWriter, c *Request, rt Route, body bool) error {
	switch limit := rt.maxBody(); {
	case !body:
	case c.read:
		c.size = int64(len(c.Body))
	case c.ContentLength > limit:
		return unread(w, tooLarge(limit))
	case c.ContentLength < 0:
		c.size = limit
	default:
		c.size = c.ContentLength
	}
	err := h.lend(c)
	if errors.Is(err, limits.ErrNoRoom) {
		e := Refuse(http.StatusTooManyRequests, CodeInvalidRequest, "other requests take all the room that there is: try again")
		e.RetryAfter = limits.BudgetWait
		err = e
	}
	if err != nil {
		return unread(w, err)
	}
	return nil
}

func (h *handler) readBody(w http.ResponseWriter, c *Request, rt Route) (err error) {
	if c.read {
		return nil
	}
	body := http.MaxBytesReader(w, h.pace.Body(w, c.Request.Body, cmp.Or(rt.Wait, readTimeout(c.Context()))), c.size)
	if c.Body, err = readAll(body, c.size, nil); err != nil {
		return unread(w, refusedBody(err, rt.maxBody()))
	}
	return nil
}

// readTimeout is what the server that serves the request has for all.
func readTimeout(ctx context.Context) time.Duration {
	if srv, ok := ctx.Value(http.ServerContextKey).(*http.Server); ok && srv.ReadTimeout > 0 {
		return srv.ReadTimeout
	}
	return defaultReadTimeout
}

// readUnverified reads a body for its hash. All that takes memory before it is known
// who asks is here.
func (h *handler) readUnverified(w http.ResponseWriter, c *Request, rt Route) error {
	limit := min(rt.maxBody(), maxBody)
	if c.ContentLength > limit {
		return unread(w, tooLarge(limit))
	}
	c.read = true
	if c.ContentLength == 0 {
		return nil
	}
	grow := func(size int64) (int64, error) {
		larger := min(max(2*size, unverifiedStep), limit)
		if c.stranger.Take(larger - size) {
			return larger, nil
		}
		return 0, Refuse(http.StatusTooManyRequests, CodeInvalidRequest, "too many bodies are read to verify their signatures: try again, or tell the body's hash in X-Sdk-Content-Sha256")
	}
	size, err := grow(0)
	if err == nil {
		body := http.MaxBytesReader(w, h.unverifiedPace.Body(w, c.Request.Body, readTimeout(c.Context())), limit)
		c.Body, err = readAll(body, size, grow)
	}
	if err != nil {
		return unread(w, refusedBody(err, limit))
	}
	return nil
}

// readAll reads to the end. Where it is not to be seen after size bytes, grow is asked
// for a larger size.
func readAll(r io.Reader, size int64, grow func(size int64) (int64, error)) ([]byte, error) {
	b := make([]byte, 0, size+1)
	for {
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		switch {
		case errors.Is(err, io.EOF):
			return b, nil
		case err != nil:
			return nil, err
		case len(b) == cap(b):
			if size, err = grow(size); err != nil {
				return nil, err
			}
			b = append(make([]byte, 0, size+1), b...)
		}
	}
}

// unread ends the connection with the answer: nobody reads the rest of the body.
func unread(w http.ResponseWriter, err error) error {
	w.Header().Set("Connection", "close")
	return err
}

func refusedBody(err error, limit int64) error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	if _, big := errors.AsType[*http.MaxBytesError](err); big {
		return tooLarge(limit)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return Refuse(http.StatusRequestTimeout, CodeInvalidRequest, "the body did not arrive in time")
	}
	return Refuse(http.StatusBadRequest, CodeInvalidRequest, "the body did not arrive whole")
}

func checkContent(c *Request) error {
	switch {
	case len(c.Header.Values("Content-Encoding")) > 0:
		return Refuse(http.StatusUnsupportedMediaType, CodeInvalidRequest, "Content-Encoding is not supported: send the body as it is")
	case !isJSON(c.Header.Values("Content-Type")):
		return Refuse(http.StatusUnsupportedMediaType, CodeInvalidRequest, "Content-Type must be application/json; charset=UTF-8")
	case len(bytes.Trim(c.Body, " \t\r\n")) == 0: // the end of a file may have come before
		return Refuse(http.StatusBadRequest, CodeContentMissing, "the content must be specified: the body is empty")
	}
	return nil
}

// isJSON accepts no header at all (the API's default), or exactly one that
// says JSON in UTF-8.
func isJSON(contentTypes []string) bool {
	if len(contentTypes) == 0 {
		return true
	}
	mediaType, params, err := mime.ParseMediaType(contentTypes[0])
	if err != nil || len(contentTypes) > 1 || mediaType != "application/json" {
		return false
	}
	charset, given := params["charset"]
	return !given || strings.EqualFold(charset, "utf-8")
}

func tooLarge(limit int64) *Error {
	return Refuse(http.StatusRequestEntityTooLarge, CodeTooLarge, "request entity too large: at most %d MiB", limit>>20)
}
