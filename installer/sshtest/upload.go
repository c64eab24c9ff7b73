package sshtest

import (
	"fmt"
	"os"
	"sync/atomic"
)

// upload is a file that is written.
type upload struct {
	*os.File
	ss    *session
	bytes atomic.Int64
}

func (u *upload) WriteAt(p []byte, off int64) (int, error) {
	total := u.bytes.Add(int64(len(p)))
	if f := u.ss.fault(SFTPWrite, u.Name(), total); f != nil {
		switch f.Action {
		case Refuse:
			return 0, sftpRefusal(f, fmt.Errorf("no space left on device"))
		case Lie:
			_, err := u.File.WriteAt(p[:len(p)/2], off)
			return len(p), err
		case Drip:
			if err := u.ss.sleep(f, f.dripDelay()); err != nil {
				return 0, err
			}
		default:
			if err := u.ss.perform(f, false); err != nil {
				return 0, err
			}
		}
	}
	n, err := u.File.WriteAt(p, off)
	u.ss.srv.counts.add(func(k *Counts) { k.Uploaded += int64(n) })
	return n, err
}

func (u *upload) Close() error {
	if f := u.ss.fault(SFTPClose, u.Name(), 0); f != nil {
		if f.Action == Refuse {
			_ = u.File.Close()
			return sftpRefusal(f, fmt.Errorf("input/output error"))
		}
		if err := u.ss.perform(f, false); err != nil {
			_ = u.File.Close()
			return err
		}
	}
	return u.File.Close()
}
