package api_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/api"
	"tripod/installer/signing"
	"tripod/store"
)

func sdkDate(at time.Time) string { return at.UTC().Format("20060102T150405Z") }

func signedBy(accessKey, signature string) string {
	return fmt.Sprintf("SDK-HMAC-SHA256 Access=%s, SignedHeaders=x-sdk-date, Signature=%s", accessKey, signature)
}

// signer is a rig whose keys are in a state folder that can be opened again,
// with a clock that is set.
type signer struct {
	*rig
	dir  string
	pair installer.KeyPair

	mu  sync.Mutex
	now time.Time
}

func newSigner(t *testing.T) *signer {
	t.Helper()
	s := &signer{dir: t.TempDir() + "/state", now: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)}
	s.open(t)
	pair, err := s.store.AddKey(t.Context(), project, "ci", installer.FullRights)
	require.NoError(t, err)
	s.pair = pair
	return s
}

func (s *signer) clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *signer) pass(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

func (s *signer) open(t *testing.T) {
	t.Helper()
	s.rig = rigOn(t, openStore(t, s.dir, store.Options{Clock: s.clock}), func(c *api.Config) { c.Clock = s.clock })
}

// signed is a request that was signed at a moment; it can be sent more than once.
func (s *signer) signed(t *testing.T, at time.Time, method, path, body string, change ...func(*http.Request)) func() answer {
	t.Helper()
	blank := func() *http.Request {
		r := httptest.NewRequest(method, "http://tripod.test"+path, strings.NewReader(body))
		r.Header.Set("X-Project-Id", project)
		return r
	}
	r := blank()
	require.NoError(t, signing.Sign(r, s.pair.AccessKey, s.pair.SecretKey, signing.Hash([]byte(body)), at))
	header := r.Header
	return func() answer {
		again := blank()
		again.Header = header.Clone()
		again.Header.Set("Content-Type", "application/json") // not signed, as the Go SDK has it
		for _, c := range change {
			c(again)
		}
		return s.serve(again)
	}
}

func TestC03SignedRequests(t *testing.T) {
	t.Parallel()
	s := newSigner(t)
	require.Equal(t, http.StatusCreated, s.signed(t, s.clock(), "POST", create, remoteInstall(host(nil)))().status)
	require.Equal(t, http.StatusOK, s.signed(t, s.clock(), "GET", listing+"?limit=1&offset=0", "")().status)
	require.Contains(t, s.logs.String(), `"by":"key ci"`)
	other := s.signed(t, s.clock(), "GET", "/v3/p-two/agent-invocations", "")()
	other.refused(t, http.StatusForbidden, api.CodeForbidden)
	head := s.signed(t, s.clock(), "HEAD", listing, "")()
	require.Equal(t, http.StatusOK, head.status)

	require.NoError(t, s.store.RemoveKey(t.Context(), project, "ci"))
	s.signed(t, s.clock(), "GET", listing, "")().refused(t, http.StatusUnauthorized, api.CodeUnauthenticated)
}

// TestC03FailuresAreAlike: whatever is wrong with a signature is one answer.
// Which it was, the log says.
func TestC03FailuresAreAlike(t *testing.T) {
	t.Parallel()
	s := newSigner(t)
	body := remoteInstall(host(nil))
	var answers []string
	for reason, send := range map[string]func() answer{
		"not the one that was signed": s.signed(t, s.clock(), "POST", create, body, func(r *http.Request) {
			r.Body = httptest.NewRequest("POST", "/", strings.NewReader(remoteInstall(host(map[string]any{"remote_ip": "10.6.6.6"})))).Body
		}),
		"did not make this signature": s.signed(t, s.clock(), "POST", create, body, func(r *http.Request) { r.URL.RawQuery = "x=1" }),
		"from this machine's clock":   s.signed(t, s.clock().Add(15*time.Minute), "POST", create, body),
		"clock":                       s.signed(t, s.clock().Add(-15*time.Minute), "POST", create, body),
		"want one X-Sdk-Date":         s.signed(t, s.clock(), "POST", create, body, func(r *http.Request) { r.Header.Del("X-Sdk-Date") }),
		"want one Authorization":      s.signed(t, s.clock(), "POST", create, body, func(r *http.Request) { r.Header.Add("Authorization", "SDK-HMAC-SHA256 x") }),
		"SHA-256 in lower-case hex":   s.signed(t, s.clock(), "POST", create, body, func(r *http.Request) { r.Header.Set("X-Sdk-Content-Sha256", "UNSIGNED-PAYLOAD") }),
		"both a signature and a token": s.signed(t, s.clock(), "POST", create, body, func(r *http.Request) {
			r.Header.Set("X-Auth-Token", s.token)
		}),
		"access key is not known": s.signed(t, s.clock(), "POST", create, body, func(r *http.Request) {
			r.Header.Set("Authorization", signedBy("TPDNOTKNOWN234567890", strings.Repeat("0", 64)))
		}),
		"with Access, SignedHeaders and Signature": s.signed(t, s.clock(), "POST", create, body, func(r *http.Request) {
			r.Header.Set("Authorization", "SDK-HMAC-SHA256 Access=a, SignedHeaders=x-sdk-date")
		}),
	} {
		a := send()
		a.refused(t, http.StatusUnauthorized, api.CodeUnauthenticated)
		answers = append(answers, a.body)
		assert.Contains(t, s.logs.String(), reason)
	}
	for _, a := range answers {
		assert.Equal(t, answers[0], a)
	}
	s.nothingStored()
	assert.NotContains(t, s.logs.String(), s.pair.SecretKey.Reveal())
	for _, skew := range []time.Duration{14 * time.Minute, -14 * time.Minute} {
		require.Equal(t, http.StatusOK, s.signed(t, s.clock().Add(skew), "GET", listing, "")().status)
	}
}

// TestC03Replay: what changes something is taken once; what only reads once
// more within a moment, for clients that poll twice a second. Restarts forget
// neither.
func TestC03Replay(t *testing.T) {
	t.Parallel()
	s := newSigner(t)
	post := s.signed(t, s.clock(), "POST", create, remoteInstall(host(nil)))
	get := s.signed(t, s.clock(), "GET", listing, "")
	status := s.signed(t, s.clock(), "POST", statuses, `{"instance_ids":["h-1"]}`)
	require.Equal(t, http.StatusCreated, post().status)
	post().refused(t, http.StatusUnauthorized, api.CodeUnauthenticated)
	require.Contains(t, s.logs.String(), "must be signed again")
	for range 3 {
		require.Equal(t, http.StatusOK, get().status)
		require.NotEqual(t, http.StatusUnauthorized, status().status)
	}
	upper := s.signed(t, s.clock(), "POST", create, remoteInstall(host(nil)), func(r *http.Request) {
		before, signature, _ := strings.Cut(r.Header.Get("Authorization"), "Signature=")
		r.Header.Set("Authorization", before+"Signature="+strings.ToUpper(signature))
	})
	upper().refused(t, http.StatusUnauthorized, api.CodeUnauthenticated)

	require.NoError(t, s.store.RemoveToken(t.Context(), project, "tester")) // the next rig has one
	require.NoError(t, s.store.Close())
	s.open(t)
	for _, again := range []func() answer{post, get, status, upper} {
		again().refused(t, http.StatusUnauthorized, api.CodeUnauthenticated)
	}
	s.pass(time.Second)
	later := s.signed(t, s.clock(), "GET", listing, "")
	require.Equal(t, http.StatusOK, later().status)
	s.pass(3 * time.Second)
	later().refused(t, http.StatusUnauthorized, api.CodeUnauthenticated)
	require.Equal(t, http.StatusCreated, s.signed(t, s.clock(), "POST", create, remoteInstall(host(nil)))().status, "signed again")
}

// TestC03BodyIsBounded: a signed body is read within limits, and of one whose
// hash is told nothing is read before its signature is verified.
func TestC03BodyIsBounded(t *testing.T) {
	t.Parallel()
	s := newSigner(t)
	big := strings.Repeat("x", 2<<20+1)
	s.signed(t, s.clock(), "POST", create, big)().refused(t, http.StatusRequestEntityTooLarge, api.CodeTooLarge)
	s.signed(t, s.clock(), "POST", create, "x", func(r *http.Request) {
		r.URL.RawQuery = "altered"
		r.Body = unreadable{t}
	})().refused(t, http.StatusUnauthorized, api.CodeUnauthenticated)
	s.signed(t, s.clock(), "POST", create, "")().refused(t, http.StatusBadRequest, api.CodeContentMissing)
}

// unreadable is a body that must not be looked at.
type unreadable struct{ t *testing.T }

func (u unreadable) Read([]byte) (int, error) {
	u.t.Error("the body of a stranger was read")
	return 0, http.ErrBodyReadAfterClose
}

func (unreadable) Close() error { return nil }

// TestC03UnknownKeysAreLikeWrongSignatures: whether an access key exists is told by no
// answer, nor by what is done for it.
func TestC03UnknownKeysAreLikeWrongSignatures(t *testing.T) {
	t.Parallel()
	s := newSigner(t)
	const huge = api.MaxBody + 1
	for name, row := range map[string]struct {
		method, path string
		arrives      int64
		announced    int64 // -1: nothing
		hash         bool
		status       int
	}{
		"no body":              {"GET", listing, 0, 0, false, 401},
		"a body":               {"POST", create, 100_000, 100_000, false, 401},
		"with its hash":        {"POST", create, 100_000, 100_000, true, 401},
		"of unknown length":    {"POST", create, 100_000, -1, false, 401},
		"too large":            {"POST", create, huge, huge, false, 413},
		"too large with hash":  {"POST", create, huge, huge, true, 401},
		"too large in the end": {"POST", create, huge, -1, false, 413},
		"no such route":        {"POST", "/v3/x", 100, 100, false, 401},
		"another project":      {"POST", "/v3/p-two/agent-invocations/batch-create", 100, 100, false, 401},
		"wrong method":         {"DELETE", create, 100, 100, false, 401},
	} {
		var answers []string
		for _, key := range []string{s.pair.AccessKey, "TPDNOTKNOWN234567890"} {
			body := &countedBody{Reader: strings.NewReader(strings.Repeat(" ", int(row.arrives)))}
			r := httptest.NewRequest(row.method, "http://tripod.test"+row.path, body)
			r.ContentLength = row.announced
			r.Header.Set("X-Sdk-Date", sdkDate(s.clock()))
			r.Header.Set("Authorization", signedBy(key, strings.Repeat("0", 64)))
			if row.hash {
				r.Header.Set("X-Sdk-Content-Sha256", signing.Hash(nil))
			}
			a := s.serve(r)
			require.Equal(t, row.status, a.status, name)
			a.header.Del("X-Request-Id")
			answers = append(answers, fmt.Sprint(a.status, a.header, a.body, " read: ", body.n))
		}
		assert.Equal(t, answers[0], answers[1], name)
	}
}

type countedBody struct {
	*strings.Reader
	n int
}

func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	b.n += n
	return n, err
}

// TestC13RightsComeBeforeTheBody: who may not do it has no body read, whether he
// comes with a token or has signed.
func TestC13RightsComeBeforeTheBody(t *testing.T) {
	t.Parallel()
	s := newSigner(t)
	token, err := s.store.AddToken(t.Context(), project, "looker", installer.ReadRights)
	require.NoError(t, err)
	s.pair, err = s.store.AddKey(t.Context(), project, "looker", installer.ReadRights)
	require.NoError(t, err)
	unread := func(r *http.Request) { r.Body = unreadable{t} }
	for path, status := range map[string]int{
		create: http.StatusForbidden,
		"/v3/p-two/agent-invocations/batch-create": http.StatusForbidden,
		"/v3/" + project + "/nothing":              http.StatusNotFound,
	} {
		require.Equal(t, status, s.signed(t, s.clock(), http.MethodPost, path, "{}", unread)().status)
		r := httptest.NewRequest(http.MethodPost, path, unreadable{t})
		r.Header.Set("X-Auth-Token", token)
		require.Equal(t, status, s.serve(r).status)
	}
}

// TestC01ReadRights walks the table: what a principal that may only look can
// do is what is said here, and nothing that is added later by itself.
func TestC01ReadRights(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(c *api.Config) {
		c.Routes = []api.Route{
			{Method: "DELETE", Pattern: "/tripod/v1/thing", Handle: func(*api.Request) (any, error) { return struct{}{}, nil }},
			{Method: "POST", Pattern: "/tripod/v1/thing", Handle: func(*api.Request) (any, error) { return struct{}{}, nil }},
		}
	})
	token, err := r.store.AddToken(t.Context(), project, "looker", installer.ReadRights)
	require.NoError(t, err)
	var may []string
	for _, rt := range api.Routes(r.handler) {
		path := strings.ReplaceAll(rt.Pattern, "{project_id}", project)
		a := r.send(rt.Method, path, "{}", "X-Auth-Token", token)
		if rt.Open {
			continue
		}
		if rt.Reads {
			may = append(may, rt.Method+" "+rt.Pattern)
			assert.NotContains(t, []int{401, 403}, a.status, path)
			continue
		}
		a.refused(t, http.StatusForbidden, api.CodeForbidden, "not enough rights")
	}
	assert.Equal(t, []string{"GET /v3/{project_id}/agent-invocations", "POST /v3/{project_id}/agent-status/batch-query"}, may)
	r.nothingStored()
}

// TestC13RateLimit: one caller's flood is refused before its body is read, with
// a time to come back, and holds up nobody else.
func TestC13RateLimit(t *testing.T) {
	t.Parallel()
	now := time.Now()
	r := newRig(t, func(c *api.Config) { c.RequestRate, c.Clock = 1, func() time.Time { return now } })
	other := r.addToken(project, "other")
	for range 4 { // a burst
		require.Equal(t, http.StatusOK, r.send(http.MethodGet, listing, "").status)
	}
	req := httptest.NewRequest(http.MethodPost, create, unreadable{t})
	req.Header.Set("X-Auth-Token", r.token)
	a := r.serve(req)
	a.refused(t, http.StatusTooManyRequests, api.CodeInvalidRequest, "1 a second")
	assert.Equal(t, "1", a.header.Get("Retry-After"))
	require.Equal(t, http.StatusOK, r.send(http.MethodGet, listing, "", "X-Auth-Token", other).status)
	r.send(http.MethodGet, listing, "", "X-Auth-Token", "wrong").refused(t, http.StatusUnauthorized, api.CodeUnauthenticated)
	now = now.Add(-time.Hour) // a clock that is set back
	r.send(http.MethodGet, listing, "").refused(t, http.StatusTooManyRequests, api.CodeInvalidRequest)
	now = now.Add(time.Second)
	require.Equal(t, http.StatusOK, r.send(http.MethodGet, listing, "").status)
	r.send(http.MethodGet, listing, "").refused(t, http.StatusTooManyRequests, api.CodeInvalidRequest)
}

// TestC13RateLimitOfSignedRequests: the same for a key, before the body is read.
func TestC13RateLimitOfSignedRequests(t *testing.T) {
	t.Parallel()
	s := newSigner(t)
	s.restart(func(c *api.Config) { c.RequestRate, c.Clock = 1, s.clock })
	at := s.clock()
	sign := func(method, path, body string, change ...func(*http.Request)) answer {
		at = at.Add(time.Second) // no two of them are alike
		return s.signed(t, at, method, path, body, change...)()
	}
	for range 4 { // a burst
		require.Equal(t, http.StatusOK, sign(http.MethodGet, listing, "").status)
	}
	a := sign(http.MethodPost, create, "{}", func(r *http.Request) { r.Body = unreadable{t} })
	a.refused(t, http.StatusTooManyRequests, api.CodeInvalidRequest, "1 a second")
	assert.Equal(t, "1", a.header.Get("Retry-After"))
	require.Equal(t, http.StatusOK, s.send(http.MethodGet, listing, "").status, "a token of the same project has its own share")
	s.pass(time.Second)
	require.Equal(t, http.StatusOK, sign(http.MethodGet, listing, "").status)
	sign(http.MethodGet, listing, "").refused(t, http.StatusTooManyRequests, api.CodeInvalidRequest)
}

// TestC13BoundedQueue: more open work than may be is refused whole, with a time
// to come back, and taken once there is room.
func TestC13BoundedQueue(t *testing.T) {
	t.Parallel()
	st := openStore(t, t.TempDir()+"/state", store.Options{MaxOpen: 2})
	r := rigOn(t, st)
	first := r.send(http.MethodPost, create, remoteInstall(host(nil))).created(t).Invocations[0]
	two := remoteInstall(host(map[string]any{"remote_ip": "10.0.0.2"}), host(map[string]any{"remote_ip": "10.0.0.3"}))
	a := r.send(http.MethodPost, create, two)
	a.refused(t, http.StatusTooManyRequests, api.CodeInvalidRequest, "nothing was changed")
	assert.Equal(t, "30", a.header.Get("Retry-After"))
	page, err := st.Invocations(t.Context(), installer.Filter{ProjectID: project})
	require.NoError(t, err)
	require.EqualValues(t, 1, page.Count)
	_, err = st.Cancel(t.Context(), project, first.InvocationID)
	require.NoError(t, err)
	r.send(http.MethodPost, create, two).created(t)
}
