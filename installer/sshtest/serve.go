package sshtest

import (
	"slices"
	"sync"

	"golang.org/x/crypto/ssh"
)

// link is one connection after its login.
type link struct {
	*conn
	srv  *Server
	ssh  *ssh.ServerConn
	user *User

	wg       sync.WaitGroup // goroutines of its channels
	mu       sync.Mutex
	sessions int
}

// serve is the life of one connection. loggedIn is told when MaxStartups counts
// it no longer.
func (s *Server) serve(c *conn, loggedIn func()) {
	if f := c.fault(Accept, "", 0); f != nil {
		if err := c.perform(f, true); err != nil {
			return
		}
	}
	if s.cfg.PreVersion != "" {
		if _, err := c.Conn.Write([]byte(s.cfg.PreVersion)); err != nil {
			return
		}
	}
	sc, channels, requests, err := ssh.NewServerConn(c, s.authConfig(c, func() {
		loggedIn()
		s.counts.add(func(k *Counts) { k.Handshakes++ })
	}))
	if err != nil {
		s.cfg.Logf("connection %d: %v", c.n, err)
		return
	}
	l := &link{conn: c, srv: s, ssh: sc, user: s.cfg.user(sc.User())}
	l.wg.Go(func() { ssh.DiscardRequests(requests) })
	for nc := range channels {
		l.wg.Go(func() { l.channel(nc) })
	}
	_ = c.Close()
	l.wg.Wait()
	_ = sc.Wait()
}

func (l *link) channel(nc ssh.NewChannel) {
	if f := l.fault(ChannelOpen, nc.ChannelType(), 0); f != nil {
		switch f.Action {
		case Refuse:
			text := f.Text
			if text == "" {
				text = "open failed"
			}
			_ = nc.Reject(ssh.Prohibited, text)
			return
		case Flood:
			for {
				if _, _, err := l.ssh.SendRequest("flood@sshtest", false, f.noise()); err != nil {
					return
				}
			}
		}
		if err := l.perform(f, false); err != nil {
			return
		}
	}
	switch nc.ChannelType() {
	case "session":
		l.session(nc)
	case "direct-tcpip":
		l.forward(nc)
	default:
		_ = nc.Reject(ssh.UnknownChannelType, "unknown channel type")
	}
}

// enter counts a session; false: one too many.
func (l *link) enter() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if m := l.srv.cfg.MaxSessions; m > 0 && l.sessions >= m {
		return false
	}
	l.sessions++
	l.srv.counts.add(func(k *Counts) { k.Sessions++ })
	return true
}

func (l *link) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sessions--
}

// offers tells whether any user can log in by a method.
func (s *Server) offers(has func(User) bool) bool { return slices.ContainsFunc(s.cfg.Users, has) }
