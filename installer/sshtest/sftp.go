package sshtest

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pkg/sftp"

	"tripod/installer/sshtest/hostproc"
)

// serveSFTP runs the subsystem on the channel, confined to the server's root.
func (ss *session) serveSFTP() {
	s := ss.srv
	if s.cfg.SFTP == SFTPChatty || s.cfg.ShellNoise != "" {
		noise := s.cfg.ShellNoise
		if noise == "" {
			noise = "Welcome to this host, have a nice day.\n"
		}
		_, _ = ss.ch.Write([]byte(noise))
	}
	s.counts.add(func(k *Counts) { k.SFTPs++ })
	fs := &files{ss}
	server := sftp.NewRequestServer(ss.ch, sftp.Handlers{FileGet: fs, FilePut: fs, FileCmd: fs, FileList: fs},
		sftp.WithStartDirectory(s.Home(ss.user.Name)))
	_ = server.Serve()
	_ = server.Close()
	_, _ = ss.ch.SendRequest("exit-status", false, make([]byte, 4))
	_ = ss.ch.Close()
}

// files does SFTP's requests on the real file system. Their paths are real
// ones too, so that SFTP and commands see the same.
type files struct{ ss *session }

func (fs *files) path(p string) (string, error) {
	if !hostproc.Below(p, fs.ss.srv.root) {
		fs.ss.srv.cfg.Logf("connection %d: SFTP: %s is outside of the test host", fs.ss.n, p)
		return "", sftp.ErrSSHFxPermissionDenied
	}
	if fs.ss.srv.cfg.SFTP == SFTPElsewhere {
		p = filepath.Join(fs.ss.srv.root, "jail", strings.TrimPrefix(p, fs.ss.srv.root))
		return p, os.MkdirAll(filepath.Dir(p), 0o700)
	}
	return p, nil
}

func (fs *files) Fileread(r *sftp.Request) (io.ReaderAt, error) {
	p, err := fs.path(r.Filepath)
	if err != nil {
		return nil, err
	}
	if err := fs.opening(p); err != nil {
		return nil, err
	}
	return os.Open(p)
}

func (fs *files) opening(p string) error {
	f := fs.ss.fault(SFTPOpen, p, 0)
	if f == nil {
		return nil
	}
	if f.Action == Refuse {
		return sftpRefusal(f, sftp.ErrSSHFxPermissionDenied)
	}
	return fs.ss.perform(f, false)
}

// sftpRefusal is an SSH_FX_FAILURE with the fault's text, or another.
func sftpRefusal(f *fault, other error) error {
	if f.Text != "" {
		return fmt.Errorf("%s", f.Text)
	}
	return other
}

func (fs *files) Filewrite(r *sftp.Request) (io.WriterAt, error) {
	p, err := fs.path(r.Filepath)
	if err != nil {
		return nil, err
	}
	if err := fs.opening(p); err != nil {
		return nil, err
	}
	pf := r.Pflags()
	flags := os.O_WRONLY
	for want, flag := range map[int]bool{os.O_CREATE: pf.Creat, os.O_TRUNC: pf.Trunc, os.O_EXCL: pf.Excl} {
		if flag {
			flags |= want
		}
	}
	if pf.Read {
		flags = flags&^os.O_WRONLY | os.O_RDWR
	}
	file, err := os.OpenFile(p, flags, 0o644)
	if err != nil {
		return nil, err
	}
	return &upload{File: file, ss: fs.ss}, nil
}

// OpenFile serves opening for reading and writing.
func (fs *files) OpenFile(r *sftp.Request) (sftp.WriterAtReaderAt, error) {
	w, err := fs.Filewrite(r)
	if err != nil {
		return nil, err
	}
	return w.(*upload), nil
}

func (fs *files) Filecmd(r *sftp.Request) error {
	p, err := fs.path(r.Filepath)
	if err != nil {
		return err
	}
	switch r.Method {
	case "Setstat":
		return setstat(p, r)
	case "Mkdir":
		return os.Mkdir(p, 0o755)
	case "Rmdir", "Remove":
		return os.Remove(p)
	}
	target, err := fs.path(r.Target)
	if err != nil {
		return err
	}
	switch r.Method {
	case "Rename": // as SFTP 3 has it: never onto an existing file
		if _, err := os.Lstat(target); err == nil {
			return fmt.Errorf("%s: %w", target, os.ErrExist)
		}
		return os.Rename(p, target)
	case "Link":
		return os.Link(p, target)
	case "Symlink":
		return os.Symlink(p, target)
	}
	return sftp.ErrSSHFxOpUnsupported
}

// PosixRename serves posix-rename@openssh.com: it replaces.
func (fs *files) PosixRename(r *sftp.Request) error {
	from, err := fs.path(r.Filepath)
	if err != nil {
		return err
	}
	to, err := fs.path(r.Target)
	if err != nil {
		return err
	}
	return os.Rename(from, to)
}

func setstat(p string, r *sftp.Request) error {
	flags, attrs := r.AttrFlags(), r.Attributes()
	if flags.Permissions {
		if err := os.Chmod(p, attrs.FileMode().Perm()); err != nil {
			return err
		}
	}
	if flags.Size {
		if err := os.Truncate(p, int64(attrs.Size)); err != nil {
			return err
		}
	}
	if flags.Acmodtime {
		return os.Chtimes(p, time.Unix(int64(attrs.Atime), 0), time.Unix(int64(attrs.Mtime), 0))
	}
	return nil
}

func (fs *files) Filelist(r *sftp.Request) (sftp.ListerAt, error) {
	p, err := fs.path(r.Filepath)
	if err != nil {
		return nil, err
	}
	switch r.Method {
	case "List":
		entries, err := os.ReadDir(p)
		if err != nil {
			return nil, err
		}
		var list listing
		for _, e := range entries {
			if info, err := e.Info(); err == nil {
				list = append(list, info)
			}
		}
		return list, nil
	case "Stat":
		info, err := os.Stat(p)
		if err != nil {
			return nil, err
		}
		return listing{info}, nil
	}
	return nil, sftp.ErrSSHFxOpUnsupported
}

// Lstat serves the request of that name.
func (fs *files) Lstat(r *sftp.Request) (sftp.ListerAt, error) {
	p, err := fs.path(r.Filepath)
	if err != nil {
		return nil, err
	}
	info, err := os.Lstat(p)
	if err != nil {
		return nil, err
	}
	return listing{info}, nil
}

// RealPath makes a path absolute; relative ones begin at home.
func (fs *files) RealPath(p string) (string, error) {
	if !strings.HasPrefix(p, "/") {
		p = filepath.Join(fs.ss.srv.Home(fs.ss.user.Name), p)
	}
	return filepath.Clean(p), nil
}

type listing []os.FileInfo

func (l listing) ListAt(to []os.FileInfo, off int64) (int, error) {
	if off >= int64(len(l)) {
		return 0, io.EOF
	}
	n := copy(to, l[off:])
	if n < len(to) {
		return n, io.EOF
	}
	return n, nil
}
