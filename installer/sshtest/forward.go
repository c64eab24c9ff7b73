package sshtest

import (
	"context"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// forward is one direct-tcpip channel.
func (l *link) forward(nc ssh.NewChannel) {
	var to struct {
		Host     string
		Port     uint32
		FromHost string
		FromPort uint32
	}
	if err := ssh.Unmarshal(nc.ExtraData(), &to); err != nil {
		_ = nc.Reject(ssh.ConnectionFailed, "bad request")
		return
	}
	addr := net.JoinHostPort(to.Host, strconv.FormatUint(uint64(to.Port), 10))
	l.srv.counts.add(func(k *Counts) { k.Forwards = append(k.Forwards, addr) })
	fw := l.srv.cfg.Forwarding
	if fw.Denied || l.user.Expired == ExpiredNoTTY || fw.Only != nil && !slices.Contains(fw.Only, addr) {
		_ = nc.Reject(ssh.Prohibited, "open failed")
		return
	}
	if inside, ok := fw.Names[addr]; ok {
		addr = inside
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	defer context.AfterFunc(l.ctx, cancel)()
	var d net.Dialer
	target, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		_ = nc.Reject(ssh.ConnectionFailed, err.Error())
		return
	}
	defer target.Close()
	// A connection that has ended does not wait for the target.
	defer context.AfterFunc(l.ctx, func() { _ = target.Close() })()
	ch, reqs, err := nc.Accept()
	if err != nil {
		return
	}
	defer ch.Close()
	l.wg.Go(func() { ssh.DiscardRequests(reqs) })
	var both sync.WaitGroup
	both.Go(func() {
		_, _ = io.Copy(target, ch)
		if tcp, ok := target.(*net.TCPConn); ok {
			_ = tcp.CloseWrite()
		}
	})
	both.Go(func() {
		_, _ = io.Copy(ch, target)
		_ = ch.CloseWrite()
	})
	both.Wait()
}
