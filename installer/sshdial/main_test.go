package sshdial

import (
	"bytes"
	"context"
	"flag"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"tripod/installer"
	"tripod/installer/sshtest"
	"tripod/installer/sshtest/netsim"
)

func TestMain(m *testing.M) {
	flag.Parse()
	_ = flag.Set("test.parallel", "12") // they wait more than they compute
	goleak.VerifyTestMain(m)
}

// memKeys is a HostKeys in memory.
type memKeys struct {
	mu    sync.Mutex
	pins  map[string][]string
	onPin func() // before a pin is stored
	fails error
}

func newKeys() *memKeys { return &memKeys{pins: make(map[string][]string)} }

func (m *memKeys) PinnedKeys(_ context.Context, project, place string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.pins[project+"/"+place]), nil
}

func (m *memKeys) PinKey(_ context.Context, project, place, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.onPin != nil {
		m.onPin()
	}
	if m.fails != nil {
		return m.fails
	}
	m.pins[project+"/"+place] = append(m.pins[project+"/"+place], key)
	return nil
}

func (m *memKeys) ForgetKeys(_ context.Context, project, place string) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := len(m.pins[project+"/"+place])
	delete(m.pins, project+"/"+place)
	return n, nil
}

func (m *memKeys) all() map[string][]string {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := make(map[string][]string)
	for k, v := range m.pins {
		c[k] = slices.Clone(v)
	}
	return c
}

// long are limits that no test waits for. A test sets the one it is about.
func long() installer.Limits {
	return installer.Limits{
		Connect: time.Minute, Handshake: time.Minute, Auth: time.Minute, Channel: time.Minute,
		UploadStall: time.Minute, Keepalive: time.Minute, ExitGrace: time.Minute,
	}
}

const short = 250 * time.Millisecond

// unusedPort is refused for as long as the test runs.
func unusedPort(t *testing.T) uint16 {
	t.Helper()
	port, release, err := netsim.UnusedPort()
	require.NoError(t, err)
	t.Cleanup(release)
	return port
}

// newDialer has long limits where none are given: a slow machine keeps output back
// for longer than the usual ExitGrace.
func newDialer(tb testing.TB, cfg Config) *Dialer {
	tb.Helper()
	if cfg.HostKeys == nil {
		cfg.HostKeys = newKeys()
	}
	if cfg.Limits == (installer.Limits{}) {
		cfg.Limits = long()
	}
	d := New(cfg)
	tb.Cleanup(func() { _ = d.Close() })
	return d
}

func root(s *sshtest.Server) (installer.Host, installer.Credentials) {
	return installer.Host{Endpoint: s.Endpoint("root")}, installer.Credentials{Login: s.Login("root")}
}

// connect dials as root and must succeed.
func connect(tb testing.TB, d *Dialer, s *sshtest.Server) *Conn {
	tb.Helper()
	host, creds := root(s)
	c, err := d.Dial(tb.Context(), "p", host, creds, installer.AcceptNew, nil)
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = c.Close() })
	return c
}

// kind requires a Failure of this kind and returns it.
func kind(tb testing.TB, want installer.Kind, err error) *installer.Failure {
	tb.Helper()
	require.Error(tb, err)
	f := installer.FailureOf(err)
	require.Equal(tb, want, f.Kind, "detail: %s, cause: %v", f.Detail, f.Err)
	require.NotEmpty(tb, f.Detail)
	return f
}

// blob is a Blob in memory.
type blob struct {
	*bytes.Reader
	name string
}

func newBlob(data []byte) blob { return blob{bytes.NewReader(data), "b"} }

func (b blob) Ref() installer.BlobRef { return installer.BlobRef{Size: b.Size(), Name: b.name} }

const (
	waitLong = time.Minute
	waitTick = 5 * time.Millisecond
)
