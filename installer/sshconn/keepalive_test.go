package sshconn

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"tripod/installer"
	"tripod/installer/sshtest"
)

// quietServer is a server in the test's bubble that takes anybody, starts any
// command, and ends it with status 7 after its time. It answers global
// requests until it falls silent.
type quietServer struct {
	takes  time.Duration // of the command
	silent atomic.Bool
	asked  atomic.Int32
}

func (q *quietServer) serve(t *testing.T, nc net.Conn) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	signer, err := ssh.NewSignerFromKey(key)
	require.NoError(t, err)
	cfg := &ssh.ServerConfig{NoClientAuth: true}
	cfg.AddHostKey(signer)
	_, chans, reqs, err := ssh.NewServerConn(nc, cfg)
	if err != nil {
		return
	}
	go func() {
		for r := range reqs {
			q.asked.Add(1)
			if !q.silent.Load() {
				_ = r.Reply(false, nil)
			}
		}
	}()
	over := make(chan struct{})
	defer close(over)
	for nch := range chans {
		ch, creqs, err := nch.Accept()
		if err != nil {
			return
		}
		go func() {
			for r := range creqs {
				_ = r.Reply(true, nil)
				if r.Type != "exec" || q.silent.Load() {
					continue
				}
				go func() {
					select {
					case <-time.After(q.takes):
					case <-over:
						return
					}
					_, _ = ch.SendRequest("exit-status", false, []byte{0, 0, 0, 7})
					_ = ch.Close()
				}()
			}
		}()
	}
}

// bubbleConn connects to q over a pipe, inside a synctest bubble.
func bubbleConn(t *testing.T, q *quietServer, limits installer.Limits) *Conn {
	t.Helper()
	d := New(Config{Limits: limits})
	d.dialTCP = func(context.Context, string) (net.Conn, error) {
		near, far := sshtest.Pipe()
		go q.serve(t, far)
		return near, nil
	}
	c, err := d.Dial(t.Context(), "p", installer.Host{Endpoint: installer.Endpoint{Address: "h", Port: 22, User: "u"}},
		installer.Credentials{Login: secret("x")}, installer.Insecure)
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = c.Close()
		_ = d.Close()
	})
	return c
}

// TestQuietCommandRuns: an hour without a word is no loss of contact while the
// server answers.
func TestQuietCommandRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const quiet = time.Hour + time.Second // ends between two keepalives, not with one
		q := &quietServer{takes: quiet}
		c := bubbleConn(t, q, installer.Limits{})
		start := time.Now()
		code, err := c.Exec(t.Context(), installer.Command{Line: "x"})
		require.NoError(t, err)
		assert.Equal(t, 7, code)
		assert.Equal(t, quiet, time.Since(start))
		assert.Positive(t, q.asked.Load())

		n := q.asked.Load()
		time.Sleep(time.Hour)
		assert.Equal(t, n, q.asked.Load(), "nobody waits, nobody asks")
	})
}

// TestSilentServerIsNoticed within Limits.Keepalive, while a command runs.
func TestSilentServerIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &quietServer{takes: 100 * time.Hour}
		limits := installer.Limits{}.WithDefaults()
		c := bubbleConn(t, q, limits)
		fell := time.Now().Add(time.Hour + 7*time.Second)
		time.AfterFunc(time.Until(fell), func() { q.silent.Store(true) })
		_, err := c.Exec(t.Context(), installer.Command{Line: "x"})
		kind(t, installer.KindLostContact, err)
		assert.LessOrEqual(t, time.Since(fell), limits.Keepalive)
		assert.GreaterOrEqual(t, time.Since(fell), limits.Keepalive/4, "a living server has time to answer")
	})
}

// TestLimitsAreTheirOwn: each wait has its own limit, to the moment.
func TestLimitsAreTheirOwn(t *testing.T) {
	dial := func(t *testing.T, limits installer.Limits, serve func(net.Conn)) (time.Duration, error) {
		d := New(Config{Limits: limits})
		defer d.Close()
		near, far := sshtest.Pipe()
		defer far.Close()
		d.dialTCP = func(context.Context, string) (net.Conn, error) { return near, nil }
		go serve(far)
		start := time.Now()
		_, err := d.Dial(t.Context(), "p", installer.Host{Endpoint: installer.Endpoint{Address: "h", Port: 22, User: "u"}},
			installer.Credentials{Login: secret("x")}, installer.Insecure)
		return time.Since(start), err
	}
	defaults := installer.Limits{}.WithDefaults()
	t.Run("handshake", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			took, err := dial(t, defaults, func(nc net.Conn) { // drips for ever
				buf := make([]byte, 256)
				go func() {
					for {
						if _, err := nc.Read(buf); err != nil {
							return
						}
					}
				}()
				for {
					if _, err := nc.Write([]byte("S")); err != nil {
						return
					}
					time.Sleep(time.Second)
				}
			})
			kind(t, installer.KindHandshakeTimeout, err)
			assert.Equal(t, defaults.Handshake, took)
			time.Sleep(2 * time.Second) // the dripping ends
		})
	})
	t.Run("auth", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			hang := make(chan struct{})
			defer close(hang)
			took, err := dial(t, defaults, func(nc net.Conn) {
				_, key, _ := ed25519.GenerateKey(rand.Reader)
				signer, _ := ssh.NewSignerFromKey(key)
				cfg := &ssh.ServerConfig{PasswordCallback: func(ssh.ConnMetadata, []byte) (*ssh.Permissions, error) {
					<-hang
					return nil, nil
				}}
				cfg.AddHostKey(signer)
				_, _, _, _ = ssh.NewServerConn(nc, cfg)
			})
			kind(t, installer.KindAuthTimeout, err)
			assert.Equal(t, defaults.Auth, took)
		})
	})
}
