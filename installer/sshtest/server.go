package sshtest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"tripod/installer/sshtest/netsim"
)

// Server is one host. Its methods may be called from many goroutines.
type Server struct {
	cfg    Config
	addr   string
	unhold func() // gives the port back
	base   string // temporary folder of the server; holds the shims
	root   string
	mark   string // in the environment of everything that it runs
	faults faults
	counts *counter

	mu       sync.Mutex
	hostKeys []ssh.Signer
	listener net.Listener // nil while stopped
	conns    map[*conn]bool
	executed atomic.Bool // a command, so that there may be processes
	starting int         // connections that have not logged in
	accepted int
	coin     *rand.Rand
	closed   bool

	wg sync.WaitGroup // every goroutine of the server
}

// Start runs a Server for the length of a test.
func Start(tb testing.TB, cfg Config) *Server {
	tb.Helper()
	if cfg.Logf == nil && testing.Verbose() {
		cfg.Logf = quiet(tb)
	}
	s, err := New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(s.Close)
	return s
}

// quiet is tb.Logf, silent once the test is over, when to log is a panic.
func quiet(tb testing.TB) func(string, ...any) {
	var mu sync.Mutex
	over := false
	tb.Cleanup(func() { mu.Lock(); over = true; mu.Unlock() })
	return func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		if !over {
			tb.Logf("sshtest: "+format, args...)
		}
	}
}

// New starts a Server; Close it.
func New(cfg Config) (*Server, error) {
	cfg, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	s := &Server{
		cfg:      cfg,
		counts:   newCounter(),
		hostKeys: cfg.HostKeys,
		conns:    map[*conn]bool{},
		coin:     rand.New(rand.NewPCG(cfg.MaxStartups.Seed, 1)),
	}
	s.faults.add(cfg.Faults)
	if err := s.makeRoot(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(s.base))
	}
	addr, unhold, err := netsim.Hold(cfg.Listen)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(s.base))
	}
	s.unhold = unhold
	if err := s.listen(addr); err != nil {
		unhold()
		return nil, errors.Join(err, os.RemoveAll(s.base))
	}
	return s, nil
}

// Close ends every connection, kills every process that commands have left
// behind, and removes the temporary folder. It returns when nothing of the
// server is left. A second Close does nothing.
func (s *Server) Close() {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.closed = true
	s.mu.Unlock()
	s.Stop()
	s.DropAll()
	done := make(chan struct{})
	go func() { s.wg.Wait(); close(done) }()
	for ended := false; !ended; {
		s.KillProcesses() // again: a command may have been starting
		select {
		case <-done:
			ended = true
		case <-time.After(20 * time.Millisecond):
		}
	}
	s.KillProcesses()
	s.unhold()
	_ = os.RemoveAll(s.base)
}

func (s *Server) listen(addr string) error {
	if addr == NoPort || addr == "" {
		return nil
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("sshtest: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errors.Join(net.ErrClosed, l.Close())
	}
	s.listener, s.addr = l, l.Addr().String()
	s.wg.Go(func() {
		for {
			raw, err := l.Accept()
			if err != nil {
				return
			}
			s.ServeConn(raw)
		}
	})
	return nil
}

// Stop closes the port: new connections are refused, open ones go on. It is given to
// nobody else until Close.
func (s *Server) Stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener == nil {
		return
	}
	// A command that is being started has a copy of all that is open here until it
	// executes: to close ours alone would not end the listening.
	if raw, err := s.listener.(*net.TCPListener).SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) { _ = syscall.Shutdown(int(fd), syscall.SHUT_RDWR) })
	}
	_ = s.listener.Close()
	s.listener = nil
}

// Resume opens the same port again.
func (s *Server) Resume() error {
	s.mu.Lock()
	stopped := s.listener == nil
	s.mu.Unlock()
	if !stopped {
		return nil
	}
	return s.listen(s.addr)
}

// DropAll closes all open connections.
func (s *Server) DropAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		_ = c.Close()
	}
}

// ResetAll closes all open connections by RST.
func (s *Server) ResetAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.reset()
	}
}

// Inject adds faults, effective at once, also on open connections. The first
// one that fits a moment is done. Removing a fault lets go on what stalls in it.
func (s *Server) Inject(faults ...Fault) (remove func()) { return s.faults.add(faults) }

// ClearFaults removes all faults.
func (s *Server) ClearFaults() { s.faults.remove(func(*fault) bool { return true }) }

// ServeConn takes up a connection that came another way than through the
// listener, such as one end of a Pipe. It returns at once and owns raw.
func (s *Server) ServeConn(raw net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		_ = raw.Close()
		return
	}
	s.accepted++
	if s.cfg.Latency > 0 {
		raw = netsim.Delayed(raw, s.cfg.Latency, &s.wg)
	}
	c := newConn(s, raw, s.accepted)
	s.conns[c] = true
	drop := s.overloaded()
	s.starting++
	s.counts.add(func(k *Counts) {
		k.Connections++
		k.Open++
		k.MaxOpen = max(k.MaxOpen, k.Open)
		if drop {
			k.Dropped++
		}
	})
	s.wg.Go(func() {
		loggedIn := sync.OnceFunc(func() {
			s.mu.Lock()
			s.starting--
			s.mu.Unlock()
		})
		if drop {
			s.refuse(c)
		} else {
			s.serve(c, loggedIn)
		}
		loggedIn()
		_ = c.Close()
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
		s.counts.add(func(k *Counts) { k.Open-- })
	})
}

// overloaded throws the coin of MaxStartups. s.mu is held.
func (s *Server) overloaded() bool {
	m := s.cfg.MaxStartups
	switch {
	case m.Full == 0 || s.starting < m.Start:
		return false
	case s.starting >= m.Full:
		return true
	}
	p := m.Rate + (100-m.Rate)*(s.starting-m.Start)/(m.Full-m.Start)
	return s.coin.IntN(100) < p
}

func (s *Server) refuse(c *conn) {
	text := s.cfg.MaxStartups.Text
	switch text {
	case "":
		text = "Exceeded MaxStartups\r\n"
	case "-":
		return
	}
	_ = c.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = c.Conn.Write([]byte(text))
}
