package sshtest

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

//go:embed shims/id.sh
var idShim string

//go:embed shims/sudo.sh
var sudoShim string

//go:embed shims/doas.sh
var doasShim string

//go:embed shims/su.sh
var suShim string

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
	if slices.ContainsFunc(s.cfg.Users, func(u User) bool { return u.Sudo.Mode == SudoMissing }) {
		if err := s.makeBin(); err != nil {
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
	shims := map[string]string{"id": idShim}
	if u.Sudo.Mode != SudoMissing {
		shims["sudo"] = fmt.Sprintf("#!/bin/sh\nmode=%s hash=%s requiretty=%t lecture=%t rust=%t only='%s'\n",
			u.Sudo.Mode, hashOf(password), u.Sudo.RequireTTY, u.Sudo.Lecture, u.Sudo.Rust, u.Sudo.Only) + sudoShim
	}
	if u.Doas != DoasMissing {
		shims["doas"] = fmt.Sprintf("#!/bin/sh\nmode=%s hash=%s\n", u.Doas, hashOf(u.anyPassword())) + doasShim
	}
	shims["su"] = fmt.Sprintf("#!/bin/sh\nhash=%s root='%s' tmp='%s' mark=%s\n", hashOf(s.cfg.RootPassword), s.root, s.Path("tmp"), s.mark) + suShim
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

// hashOf a password is what the shims have: a test may search the disk for passwords.
func hashOf(password string) string {
	if password == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(password))
	return hex.EncodeToString(sum[:])
}

const systemPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// makeBin makes a folder with all programs of this machine but its sudo, doas and su.
func (s *Server) makeBin() error {
	if err := os.Mkdir(s.binDir(), 0o755); err != nil {
		return err
	}
	for _, dir := range filepath.SplitList(systemPath) {
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			if slices.Contains([]string{"sudo", "doas", "su"}, e.Name()) {
				continue
			}
			if err := os.Symlink(filepath.Join(dir, e.Name()), filepath.Join(s.binDir(), e.Name())); err != nil && !errors.Is(err, os.ErrExist) {
				return err
			}
		}
	}
	return nil
}

func (s *Server) binDir() string { return filepath.Join(s.base, "bin") }

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
	path := systemPath
	if u.Sudo.Mode == SudoMissing {
		path = s.binDir()
	}
	return append([]string{
		"PATH=" + s.shimDir(u) + ":" + path,
		"HOME=" + s.Home(u.Name),
		"TMPDIR=" + s.Path("tmp"),
		"USER=" + u.Name, "LOGNAME=" + u.Name, "SHELL=" + shell,
		"SSH_CONNECTION=127.0.0.1 0 127.0.0.1 22",
		"TRIPOD_ROOT=" + s.root,
		"SSHTEST_UID=" + uid, "SSHTEST_USER=" + u.Name, "SSHTEST_MARK=" + s.mark,
	}, s.cfg.Env...)
}
