package sshtest

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

//go:embed shims/id.sh
var idShim string

//go:embed shims/sudo.sh
var sudoShim string

// makeRoot makes the throw-away root and, apart from it, the shims.
func (s *Server) makeRoot() error {
	base, err := os.MkdirTemp("", "sshtest-")
	if err != nil {
		return fmt.Errorf("sshtest: %w", err)
	}
	s.base = base // Close removes it
	if base, err = filepath.EvalSymlinks(base); err != nil {
		return fmt.Errorf("sshtest: %w", err)
	}
	s.base, s.mark = base, filepath.Base(base)
	s.root = filepath.Join(base, "root")
	if s.cfg.Root != "" {
		if s.root, err = filepath.Abs(s.cfg.Root); err != nil {
			return fmt.Errorf("sshtest: %w", err)
		}
	}
	dirs := []string{"root", "tmp", "var/tmp", "var/lib", "opt", "usr/local/bin", "etc/init.d", "run"}
	for _, u := range s.cfg.Users {
		if u.Name != "root" {
			dirs = append(dirs, filepath.Join("home", u.Name))
		}
	}
	for _, d := range dirs {
		if err := os.MkdirAll(filepath.Join(s.root, d), 0o755); err != nil {
			return fmt.Errorf("sshtest: %w", err)
		}
	}
	if s.root, err = filepath.EvalSymlinks(s.root); err != nil {
		return fmt.Errorf("sshtest: %w", err)
	}
	for _, u := range s.cfg.Users {
		if err := s.makeShims(&u); err != nil {
			return fmt.Errorf("sshtest: %w", err)
		}
	}
	return nil
}

func (s *Server) shimDir(u *User) string { return filepath.Join(s.base, "shims", u.Name) }

func (s *Server) makeShims(u *User) error {
	dir := s.shimDir(u)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	password := u.Sudo.Password
	if password == "" {
		password = u.anyPassword()
	}
	// Only its hash: a test may search the disk for passwords.
	sum := sha256.Sum256([]byte(password))
	settings := fmt.Sprintf("#!/bin/sh\nmode=%s hash=%s requiretty=%t lecture=%t\n",
		u.Sudo.Mode, hex.EncodeToString(sum[:]), u.Sudo.RequireTTY, u.Sudo.Lecture)
	shims := map[string]string{"id": idShim, "sudo": settings + sudoShim}
	for name, text := range s.cfg.Shims {
		shims[name] = text
	}
	for name, text := range shims {
		if err := writeProgram(filepath.Join(dir, name), text); err != nil {
			return err
		}
	}
	return nil
}

// writeProgram lets nothing fork while the file is open: a child that has the
// file open too makes it "text file busy" to who wants to run it.
func writeProgram(path, text string) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	return os.WriteFile(path, []byte(text), 0o755)
}

// environment is what u's commands get; nothing of this process's own.
func (s *Server) environment(u *User) []string {
	uid := "1000"
	if u.Name == "root" {
		uid = "0"
	}
	shell := u.Shell
	if shell == "" {
		shell = "/bin/sh"
	}
	return append([]string{
		"PATH=" + s.shimDir(u) + ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=" + s.Home(u.Name),
		"TMPDIR=" + s.Path("tmp"),
		"USER=" + u.Name, "LOGNAME=" + u.Name, "SHELL=" + shell,
		"SSH_CONNECTION=127.0.0.1 0 127.0.0.1 22",
		"TRIPOD_ROOT=" + s.root,
		"SSHTEST_UID=" + uid, "SSHTEST_USER=" + u.Name, "SSHTEST_MARK=" + s.mark,
	}, s.cfg.Env...)
}
