package sshtest

import (
	"errors"
	"slices"

	"golang.org/x/crypto/ssh"
)

var errDenied = errors.New("permission denied")

// authConfig is the server side of one connection's authentication. Methods
// are offered as sshd does it: by the server, not by the user. loggedIn is called
// before the client hears of its login.
func (s *Server) authConfig(c *conn, loggedIn func()) *ssh.ServerConfig {
	a := &auth{c: c, s: s}
	cfg := &ssh.ServerConfig{
		Config:        s.cfg.Crypto,
		ServerVersion: s.cfg.Version,
		MaxAuthTries:  s.cfg.MaxAuthTries,
		NoClientAuth:  true,
		NoClientAuthCallback: func(m ssh.ConnMetadata) (*ssh.Permissions, error) {
			return a.attempt("none", m.User(), func(*User) bool { return false })
		},
		PreAuthConnCallback: func(p ssh.ServerPreAuthConn) { a.pre = p },
		AuthLogCallback: func(_ ssh.ConnMetadata, _ string, err error) {
			if err == nil {
				loggedIn()
			}
		},
		BannerCallback: a.banner,
	}
	if s.offers(func(u User) bool { return u.Password != "" || u.Refused }) {
		cfg.PasswordCallback = a.password
	}
	if s.offers(func(u User) bool { return u.KeyboardInteractive != "" || u.Expired == ExpiredPrompt }) {
		cfg.KeyboardInteractiveCallback = a.interactive
	}
	if s.offers(func(u User) bool { return len(u.AuthorizedKeys) > 0 }) {
		cfg.PublicKeyCallback = a.publicKey
		cfg.VerifiedPublicKeyCallback = func(m ssh.ConnMetadata, key ssh.PublicKey, p *ssh.Permissions, _ string) (*ssh.Permissions, error) {
			s.counts.add(func(k *Counts) { k.Accepted["publickey"]++ })
			return p, nil
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.hostKeys {
		cfg.AddHostKey(k)
	}
	return cfg
}

type auth struct {
	c   *conn
	s   *Server
	pre ssh.ServerPreAuthConn
}

func (a *auth) banner(ssh.ConnMetadata) string {
	if f := a.c.fault(Banner, "", 0); f != nil {
		if f.Action == Flood {
			a.flood(f)
		}
		if err := a.c.perform(f, false); err != nil {
			return ""
		}
	}
	return a.s.cfg.Banner
}

// flood sends banners until the client has enough.
func (a *auth) flood(f *fault) {
	text := string(f.noise())
	if f.Text == "" {
		text = "all the world's a stage\n"
	}
	for a.pre.SendAuthBanner(text) == nil {
		select {
		case <-f.removed:
			return
		case <-a.c.gone:
			return
		default:
		}
	}
}

// attempt counts one and decides, faults included.
func (a *auth) attempt(method, user string, right func(*User) bool) (*ssh.Permissions, error) {
	a.s.counts.add(func(k *Counts) { k.Attempts[method]++ })
	if f := a.c.fault(Auth, method, 0); f != nil {
		switch f.Action {
		case Refuse:
			return nil, errDenied
		case Lie:
			return &ssh.Permissions{}, nil
		case Flood:
			a.flood(f)
		}
		if err := a.c.perform(f, false); err != nil {
			return nil, err
		}
	}
	u := a.s.cfg.user(user)
	if u == nil || u.Refused || !right(u) {
		return nil, errDenied
	}
	if method != "publickey" { // a key is only asked about here, not yet proved
		a.s.counts.add(func(k *Counts) { k.Accepted[method]++ })
	}
	return &ssh.Permissions{}, nil
}

func (a *auth) got(password string) {
	a.s.counts.add(func(k *Counts) { k.Passwords = append(k.Passwords, password) })
}

func (a *auth) password(m ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
	a.got(string(password))
	return a.attempt("password", m.User(), func(u *User) bool {
		// PAM cannot ask for a new password here: sshd refuses.
		return u.Password != "" && string(password) == u.Password && u.Expired != ExpiredPrompt
	})
}

func (a *auth) publicKey(m ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
	return a.attempt("publickey", m.User(), func(u *User) bool {
		return slices.ContainsFunc(u.AuthorizedKeys, func(line string) bool {
			known, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
			return err == nil && string(known.Marshal()) == string(key.Marshal())
		})
	})
}

func (a *auth) interactive(m ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
	var failed error
	question := func(text string) string {
		if failed != nil {
			return ""
		}
		answers, err := ask("", "", []string{text}, []bool{false})
		if err != nil || len(answers) != 1 {
			failed = errors.Join(errDenied, err)
			return ""
		}
		a.got(answers[0])
		return answers[0]
	}
	return a.attempt("keyboard-interactive", m.User(), func(u *User) bool {
		want := u.KeyboardInteractive
		if u.Expired == ExpiredPrompt {
			want = u.anyPassword()
		}
		// An unknown way in is asked about all the same, as PAM does.
		answer := question("Password: ")
		if failed != nil || want == "" || answer != want {
			return false
		}
		if u.Expired != ExpiredPrompt {
			return true
		}
		if _, err := ask("", "You are required to change your password immediately (administrator enforced).", nil, nil); err != nil {
			return false
		}
		if question("Current password: ") != want {
			return false
		}
		fresh := question("New password: ")
		return question("Retype new password: ") == fresh && failed == nil && fresh != "" && fresh != want
	})
}
