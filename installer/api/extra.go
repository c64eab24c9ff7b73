package api

import (
	"cmp"
	"io"
	"net/http"
	"strings"
	"time"

	"tripod/installer"
)

// Route is a route that another package adds. What holds for every route of
// the API holds for it: authentication, the project check, limits, error
// bodies, logging.
type Route struct {
	// Method is GET, POST, PUT or DELETE.
	Method string
	// Pattern is a path; "{name}" stands for one segment, which the handler finds
	// with PathValue, unescaped and not checked. With "{project_id}" only the
	// caller's own project is let in.
	Pattern string
	// MaxBody bounds the body, in bytes. 0: 2 MiB.
	MaxBody int64
	// Binary bodies are no JSON.
	Binary bool
	// Wait is how long the request may take to arrive, and again to be answered.
	// 0: as the server has it for all.
	Wait time.Duration
	// Rights are needed. Empty: to read for GET, else full.
	Rights installer.Rights
	// Handle returns what is encoded as JSON, or a Stream.
	Handle func(*Request) (any, error)
}

// Request is a request that was let in.
type Request struct {
	*http.Request
	Principal installer.Principal
	Body      []byte // of a POST or PUT
}

// Refuse makes an error answer for a Route.
func Refuse(status int, code Code, format string, args ...any) *Error {
	return refuse(status, code, format, args...)
}

// Stream is an answer of bytes. It is closed after it was sent.
type Stream struct{ io.ReadCloser }

func (r Route) route() route {
	success, rights := http.StatusOK, installer.FullRights
	if r.Method == http.MethodGet {
		rights = installer.ReadRights
	}
	if r.Method == http.MethodPost {
		success = http.StatusCreated
	}
	rights = cmp.Or(r.Rights, rights)
	return route{
		method: r.Method, pattern: r.Pattern, success: success,
		limit: r.MaxBody, binary: r.Binary, wait: r.Wait, faults: true,
		rights: rights, anyProject: !strings.Contains(r.Pattern, projectSegment),
		handle: func(c *call) (any, error) {
			return r.Handle(&Request{c.Request, c.who, c.body})
		},
	}
}

// faultyAnswer is an error with its faults one by one.
type faultyAnswer struct {
	*Error
	Faults installer.Faults `json:"faults"`
}

// giveTime lets this request take longer than the server's limits. A server
// that cannot (in tests) has none.
func giveTime(w http.ResponseWriter, d time.Duration) {
	rc, until := http.NewResponseController(w), time.Now().Add(d)
	_ = rc.SetReadDeadline(until)
	_ = rc.SetWriteDeadline(until.Add(d))
}

// stream sends bytes as they come. Where they end too early the connection is
// cut, so that the client does not take them for all.
func (h *handler) stream(w http.ResponseWriter, r *http.Request, status int, s Stream) int64 {
	defer func() { _ = s.Close() }()
	hdr := w.Header()
	hdr.Set("Content-Type", "application/octet-stream")
	hdr.Set("Cache-Control", "no-store")
	hdr.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return 0
	}
	n, err := io.Copy(w, s)
	if err != nil {
		h.Logger.Warn("answer cut off", "bytes", n, "error", err)
		panic(http.ErrAbortHandler)
	}
	return n
}
