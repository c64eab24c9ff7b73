package api

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"
)

// maxBody bounds a request's body, in bytes: 100 hosts with PEM keys of 3000
// characters are a sixth of it.
const maxBody = 2 << 20

// bodyLimit bounds the route's body, in bytes.
func (rt route) bodyLimit() int64 { return cmp.Or(rt.limit, maxBody) }

// readBody reads a whole body, if that was not done to check its signature, or
// says why it will not.
func (c *call) readBody(w http.ResponseWriter, rt route) error {
	r := c.Request
	if len(r.Header.Values("Content-Encoding")) > 0 {
		return refuse(http.StatusUnsupportedMediaType, CodeInvalidRequest, "Content-Encoding is not supported: send the body as it is")
	}
	if !rt.binary && !isJSON(r.Header.Values("Content-Type")) {
		return refuse(http.StatusUnsupportedMediaType, CodeInvalidRequest, "Content-Type must be application/json; charset=UTF-8")
	}
	if !c.read {
		var err error
		if c.body, err = readAll(w, r, rt.bodyLimit()); err != nil {
			return err
		}
	}
	if len(bytes.Trim(c.body, " \t\r\n")) == 0 && !rt.binary { // the end of a file may have come before
		return refuse(http.StatusBadRequest, CodeContentMissing, "the content must be specified: the body is empty")
	}
	return nil
}

// readAll reads a body of at most limit bytes.
func readAll(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	if r.ContentLength > limit {
		w.Header().Set("Connection", "close")
		return nil, tooLarge(limit)
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if err != nil {
		w.Header().Set("Connection", "close")
	}
	if _, big := errors.AsType[*http.MaxBytesError](err); big {
		return nil, tooLarge(limit)
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, refuse(http.StatusRequestTimeout, CodeInvalidRequest, "the body did not arrive in time")
	case err != nil:
		return nil, refuse(http.StatusBadRequest, CodeInvalidRequest, "the body did not arrive whole")
	}
	return body, nil
}

// isJSON accepts no header at all (the API's default), or exactly one that
// says JSON in UTF-8.
func isJSON(contentTypes []string) bool {
	if len(contentTypes) == 0 {
		return true
	}
	kind, params, err := mime.ParseMediaType(contentTypes[0])
	if err != nil || len(contentTypes) > 1 || kind != "application/json" {
		return false
	}
	charset, given := params["charset"]
	return !given || strings.EqualFold(charset, "utf-8")
}

func tooLarge(limit int64) *Error {
	return refuse(http.StatusRequestEntityTooLarge, CodeTooLarge, "request entity too large: at most %d MiB", limit>>20)
}
