package recipe

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tripod/installer"
	"tripod/installer/sshdial"
	"tripod/installer/sshtest"
)

func TestMain(m *testing.M) {
	_ = flag.Set("test.parallel", "16") // they wait more than they compute
	goleak.VerifyTestMain(m)
}

// memBlobs keeps blobs in memory.
type memBlobs struct {
	mu  sync.Mutex
	all map[string][]byte
}

type memBlob struct {
	*bytes.Reader
	ref installer.BlobRef
}

func (b memBlob) Ref() installer.BlobRef { return b.ref }

func (b *memBlobs) put(name string, content []byte) installer.BlobRef {
	b.mu.Lock()
	defer b.mu.Unlock()
	sum := sha256.Sum256(content)
	ref := installer.BlobRef{SHA256: hex.EncodeToString(sum[:]), Size: int64(len(content)), Name: name}
	if b.all == nil {
		b.all = map[string][]byte{}
	}
	b.all[ref.SHA256] = content
	return ref
}

func (b *memBlobs) OpenBlob(ref installer.BlobRef) (installer.Blob, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	content, ok := b.all[ref.SHA256]
	if !ok {
		return nil, installer.ErrNotFound
	}
	return memBlob{bytes.NewReader(content), ref}, nil
}

// syncBuffer is a log.
type syncBuffer struct {
	mu      sync.Mutex
	b       bytes.Buffer
	changed chan struct{}
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.changed != nil {
		close(s.changed)
	}
	s.changed = make(chan struct{})
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func (s *syncBuffer) Position() (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return int64(s.b.Len()), nil
}

func (s *syncBuffer) Rewind(position int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.b.Truncate(int(position))
	return nil
}

// awaits returns once text is in the log.
func (s *syncBuffer) awaits(t *testing.T, text string) {
	t.Helper()
	require.Eventually(t, func() bool { return strings.Contains(s.String(), text) }, time.Minute, 5*time.Millisecond,
		"the log never had %q", text)
}

// bed is one host and one invocation on it, with its journal as a store would
// keep it.
type bed struct {
	t      *testing.T
	srv    *sshtest.Server
	limits installer.Limits
	blobs  *memBlobs
	inv    *installer.Invocation
	creds  installer.Credentials
	out    *syncBuffer
	// onJournal, if not nil, is asked before a step is noted or journaled.
	onJournal func(installer.StepRecord) error
	noted     []installer.StepRecord // in memory only
	settings  string
	sink      io.Writer // in place of out
}

func newBed(t *testing.T, cfg sshtest.Config, user string) *bed {
	t.Helper()
	srv := sshtest.Start(t, cfg)
	return &bed{
		t: t, srv: srv, blobs: &memBlobs{}, out: &syncBuffer{},
		limits: installer.Limits{Reconnect: 20 * time.Second, ExitGrace: 500 * time.Millisecond},
		inv: &installer.Invocation{
			ID: "inv-1", BatchID: "batch", ProjectID: "p", Type: installer.Install, RunID: "inv-1",
			Host:     installer.Host{ID: "host-1", Endpoint: srv.Endpoint(user)},
			Spec:     installer.Spec{Target: "telescope", HostKeys: installer.Insecure},
			Attempts: []installer.Attempt{{Number: 1, Started: time.Now()}},
		},
		creds: installer.Credentials{Login: srv.Login(user)},
	}
}

// script makes the invocation one of a user's script.
func (b *bed) script(text string) *bed {
	ref := b.blobs.put("job.sh", []byte(text))
	b.inv.Spec.Script = &ref
	return b
}

func (b *bed) attempt() *installer.Attempt { return &b.inv.Attempts[len(b.inv.Attempts)-1] }

// nextAttempt ends the present attempt with kind and begins another.
func (b *bed) nextAttempt(kind installer.Kind) {
	a := b.attempt()
	a.Ended, a.Kind = time.Now(), kind
	b.inv.Attempts = append(b.inv.Attempts, installer.Attempt{Number: a.Number + 1, Started: time.Now()})
}

// work is what one process does with the invocation: fresh Dialer and Recipe.
func (b *bed) work(ctx context.Context) (installer.Outcome, error) {
	dialer := sshdial.New(sshdial.Config{Limits: b.limits})
	defer func() { _ = dialer.Close() }()
	r := New(Config{
		Dial:  dialWith(dialer),
		Blobs: b.blobs, Limits: b.limits,
	})
	r.firstPause = 20 * time.Millisecond
	r.AgentSettings = b.settings
	var out io.Writer = b.out
	if b.sink != nil {
		out = b.sink
	}
	inv := *b.inv
	inv.Attempts = append([]installer.Attempt(nil), b.inv.Attempts...)
	b.noted = nil
	outcome, err := r.Work(ctx, &installer.Job{
		Invocation: &inv, Credentials: b.creds, Output: out, Begin: func(installer.Step) {},
		Note: func(rec installer.StepRecord) {
			if b.onJournal != nil {
				_ = b.onJournal(rec)
			}
			b.noted = append(b.noted, rec)
		},
		Journal: func(_ context.Context, rec installer.StepRecord) error {
			if b.onJournal != nil {
				if err := b.onJournal(rec); err != nil {
					return err
				}
			}
			b.keep(rec)
			return nil
		},
	})
	b.keep()
	return outcome, err
}

// keep journals what was noted, and then recs.
func (b *bed) keep(recs ...installer.StepRecord) {
	a := b.attempt()
	a.Steps = append(append(a.Steps, b.noted...), recs...)
	b.noted = nil
}

func (b *bed) steps() []installer.Step {
	var all []installer.Step
	for _, rec := range b.attempt().Steps {
		all = append(all, rec.Step)
	}
	return all
}

// runs is how often the script ran, by its counter file.
func (b *bed) runs() int {
	text, err := os.ReadFile(b.srv.Path("ran"))
	if errors.Is(err, os.ErrNotExist) {
		return 0
	}
	require.NoError(b.t, err)
	return strings.Count(string(text), "x")
}

// runFolders are the run folders that are left on the host.
func (b *bed) runFolders() []string {
	found, err := filepath.Glob(b.srv.Path("var/lib/tripod/runs/*"))
	require.NoError(b.t, err)
	return found
}

func requireKind(t *testing.T, kind installer.Kind, err error) *installer.Failure {
	t.Helper()
	require.Error(t, err)
	f, ok := errors.AsType[*installer.Failure](err)
	require.True(t, ok, "not a Failure: %v", err)
	require.Equal(t, kind, f.Kind, "%v", err)
	return f
}

func dialWith(d *sshdial.Dialer) Dial {
	return func(ctx context.Context, project string, host installer.Host, creds installer.Credentials, policy installer.HostKeyPolicy, guard installer.PasswordGuard) (Conn, error) {
		conn, err := d.Dial(ctx, project, host, creds, policy, guard)
		if err != nil {
			return nil, err
		}
		return conn, nil
	}
}

func discardNote(installer.StepRecord) {}

func discardJournal(context.Context, installer.StepRecord) error { return nil }
