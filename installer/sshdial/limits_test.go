package sshdial

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"golang.org/x/crypto/ssh"

	"tripod/installer"
	"tripod/installer/sshtest/netsim"
)

// TestLimitsAreTheirOwn: each wait has its own limit, to the moment.
func TestLimitsAreTheirOwn(t *testing.T) {
	dial := func(t *testing.T, limits installer.Limits, serve func(net.Conn)) (time.Duration, error) {
		d := New(Config{Limits: limits})
		defer d.Close()
		near, far := netsim.Pipe()
		defer far.Close()
		d.dialTCP = func(context.Context, string) (net.Conn, error) { return near, nil }
		go serve(far)
		start := time.Now()
		_, err := d.Dial(t.Context(), "p", installer.Host{Endpoint: installer.Endpoint{Address: "h", Port: 22, User: "u"}},
			installer.Credentials{Login: secret("x")}, installer.Insecure, nil)
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
