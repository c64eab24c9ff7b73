package sshtest

import (
	"net"
	"path/filepath"
	"strconv"
	"strings"

	"tripod/installer"
	"tripod/installer/sshtest/testkeys"
)

// Addr is where the server listens, "127.0.0.1:port".
func (s *Server) Addr() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addr
}

// Endpoint is the server as user's host. The host key is not pinned.
func (s *Server) Endpoint(user string) installer.Endpoint {
	host, port, err := net.SplitHostPort(s.Addr())
	if err != nil {
		panic("sshtest: " + err.Error())
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		panic("sshtest: " + err.Error())
	}
	return installer.Endpoint{Address: host, Port: uint16(n), User: user}
}

// Login has user's password, where it has one. Keys are the caller's.
func (s *Server) Login(user string) installer.Login {
	if u := s.cfg.user(user); u != nil {
		return installer.Login{Password: installer.NewSecret(u.anyPassword())}
	}
	return installer.Login{}
}

// HostKey is the first host key in authorized_keys form.
func (s *Server) HostKey() string { return s.HostKeys()[0] }

// HostKeys are all host keys in authorized_keys form.
func (s *Server) HostKeys() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for _, k := range s.hostKeys {
		all = append(all, testkeys.Authorized(k.PublicKey()))
	}
	return all
}

// ReplaceHostKeys makes new host keys for connections to come: the host was
// rebuilt, or is another one.
func (s *Server) ReplaceHostKeys(types ...string) error {
	keys, err := newHostKeys(types)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hostKeys = keys
	return nil
}

// Root is the folder that stands for the host's "/", TRIPOD_ROOT of its
// commands.
func (s *Server) Root() string { return s.root }

// Path is a path of the host as a path of this machine: below Root.
func (s *Server) Path(elem ...string) string {
	return filepath.Join(append([]string{s.root}, elem...)...)
}

// Home is user's home folder.
func (s *Server) Home(user string) string {
	if user == "root" {
		return s.Path("root")
	}
	return s.Path("home", strings.TrimPrefix(user, "/"))
}
