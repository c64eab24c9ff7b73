package sshconn

import (
	"crypto/ed25519"
	"crypto/rand"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"tripod/installer"
	"tripod/installer/sshtest/netsim"
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
	near, far := netsim.Pipe()
	go q.serve(t, far)
	return open(t, limits.WithDefaults(), near, "u", installer.Login{})
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

// busy is a connection with many requests before ours.
type busy struct {
	ssh.Conn
	ended chan struct{}
}

func (b busy) SendRequest(string, bool, []byte) (bool, []byte, error) {
	<-b.ended
	return false, nil, io.EOF
}

// TestRespondsToOthers: requests are answered one after the other, so where many
// wait at once the answer to ours may not have come yet.
func TestRespondsToOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const limit = 3 * time.Second
		c := &Conn{ssh: busy{ended: make(chan struct{})}, wire: &Wire{}}
		defer close(c.ssh.(busy).ended)
		assert.False(t, c.Responds(t.Context(), limit), "nothing is heard from it")
		go func() {
			time.Sleep(limit / 2)
			c.wire.reads.Add(1)
		}()
		assert.True(t, c.Responds(t.Context(), limit))
		assert.False(t, c.Responds(t.Context(), limit), "nor since then")
	})
}
