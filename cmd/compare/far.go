package main

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"tripod/installer/sshtest/netsim"
)

// farPort leads to the sshd of the same address, over a long way.
const farPort = "2250"

// far is a proxy on each host's own address that delays what passes.
type far struct {
	rtt       time.Duration
	listeners []net.Listener
	wg        sync.WaitGroup
	sent      atomic.Int64 // bytes from clients to hosts
}

func newFar(hosts []string, rtt time.Duration) (*far, error) {
	f := &far{rtt: rtt}
	for _, host := range hosts {
		l, err := net.Listen("tcp", net.JoinHostPort(host, farPort))
		if err != nil {
			f.close()
			return nil, err
		}
		f.listeners = append(f.listeners, l)
		f.wg.Go(func() {
			for {
				client, err := l.Accept()
				if err != nil {
					return
				}
				f.wg.Go(func() { f.pass(client, host) })
			}
		})
	}
	return f, nil
}

// pass begins after a round trip, that of TCP's own handshake.
func (f *far) pass(client net.Conn, host string) {
	time.Sleep(f.rtt)
	server, err := net.Dial("tcp", net.JoinHostPort(host, fieldPort))
	if err != nil {
		_ = client.Close()
		return
	}
	near := netsim.Delayed(client, f.rtt/2, &f.wg)
	f.wg.Go(func() {
		_, _ = io.Copy(near, server)
		_ = near.Close()
	})
	n, _ := io.Copy(server, near)
	f.sent.Add(n)
	_ = server.Close()
}

func (f *far) close() {
	for _, l := range f.listeners {
		_ = l.Close()
	}
	f.wg.Wait()
}
