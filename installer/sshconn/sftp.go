package sshconn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"tripod/installer"
)

// Up to smallUpload a file goes out in small packets, all in flight at once: as fast, and it saves
// memory, since x/crypto keeps buffers of packet size while a connection lives. Larger files take
// the largest packets that every server must accept.
const (
	smallUpload = 256 << 10
	smallPacket = 8 << 10
	largePacket = 32 << 10
	maxInFlight = 64
)

type sftpState struct {
	mu      sync.Mutex // held during an upload
	missing bool       // the server has no SFTP; do not ask again
	client  *sftp.Client
	pipe    *sftpPipe
	packet  int
	ended   <-chan struct{} // closed when the server has closed the channel
	by      atomic.Value    // string
}

// sftpPipe is the stream under an SFTP client. Whatever the server answers is progress.
type sftpPipe struct {
	ssh.Channel
	guard atomic.Pointer[guard]
}

func (p *sftpPipe) Close() error { return p.CloseWrite() }

func (p *sftpPipe) Read(b []byte) (int, error) {
	n, err := p.Channel.Read(b)
	if g := p.guard.Load(); g != nil && n > 0 {
		g.progress()
	}
	return n, err
}

func (c *Conn) uploadSFTP(ctx context.Context, blob installer.Blob, to string) (missing bool, fail *installer.Failure) {
	packet := smallPacket
	if blob.Ref().Size > smallUpload {
		packet = largePacket
	}
	if missing, fail := c.openSFTP(ctx, packet); missing || fail != nil {
		return missing, fail
	}
	st := &c.sftp
	g := c.guard(ctx, c.limits.UploadStall, "an upload stood still")
	defer g.done()
	st.pipe.guard.Store(g)
	err := st.writeFile(newUploadReader(ctx, g, blob), blob.Ref().Size, to)
	if errors.Is(err, errNotOpened) && c.alive() && ctx.Err() == nil {
		return true, nil // it may show another part of the file system, or none
	}
	if err != nil {
		if c.alive() && ctx.Err() == nil && st.full(to, err) {
			return false, Failf(installer.KindNoSpace, err, "%s: no space left on the file system", to)
		}
		return false, c.uploadFailure(ctx, g, to, err)
	}
	return false, nil
}

var errNotOpened = errors.New("not opened")

func (st *sftpState) writeFile(from io.Reader, size int64, to string) (err error) {
	f, err := st.client.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return errors.Join(errNotOpened, err)
	}
	defer func() {
		if cerr := f.Close(); err == nil && cerr != nil {
			err = fmt.Errorf("close: %w", cerr)
		}
	}()
	if _, err := f.ReadFromWithConcurrency(from, int(min(maxInFlight, size/int64(st.packet)+1))); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	fi, err := f.Stat()
	if err != nil {
		return fmt.Errorf("stat: %w", err)
	}
	if fi.Size() != size {
		return fmt.Errorf("%d bytes arrived of %d", fi.Size(), size)
	}
	return nil
}

// full reports whether a write failed for lack of space. OpenSSH says no more
// than "Failure", so the file system is asked.
func (st *sftpState) full(file string, err error) bool {
	if noSpace(err.Error()) {
		return true
	}
	se, ok := errors.AsType[*sftp.StatusError](err)
	if !ok || se.FxCode() != sftp.ErrSSHFxFailure {
		return false
	}
	if _, ok := st.client.HasExtension("statvfs@openssh.com"); !ok {
		return false
	}
	vfs, err := st.client.StatVFS(path.Dir(file))
	return err == nil && vfs.Bavail*vfs.Frsize < largePacket
}

func (c *Conn) openSFTP(ctx context.Context, packet int) (missing bool, fail *installer.Failure) {
	st := &c.sftp
	if st.client != nil && st.packet >= packet {
		return false, nil
	}
	g := c.guard(ctx, c.limits.Channel, fmt.Sprintf("no SFTP within %s", c.limits.Channel))
	defer g.done()
	st.close() // larger packets need another client
	ch, reqs, fail := c.openSession(ctx, g)
	if fail != nil {
		return false, fail
	}
	started := make(chan sftpStart, 1)
	go func() { started <- c.startSFTP(ch, reqs, packet) }()
	select {
	case start := <-started:
		if start.client == nil && (ctx.Err() != nil || g.fired.Load() || c.Broken()) {
			return false, c.sftpStartFailure(ctx, g, start.err)
		}
		if start.client == nil {
			return true, nil // refused, a login shell that prints, or no server behind it
		}
		st.client, st.pipe, st.packet, st.ended = start.client, start.pipe, packet, start.ended
		return false, nil
	case <-time.After(c.limits.Channel / 2): // the other half is for who does without
		c.closeChannel(ch)
		return true, nil
	}
}

type sftpStart struct {
	client *sftp.Client
	pipe   *sftpPipe
	ended  <-chan struct{}
	err    error
}

func (c *Conn) startSFTP(ch ssh.Channel, reqs <-chan *ssh.Request, packet int) sftpStart {
	ok, err := ch.SendRequest("subsystem", true, ssh.Marshal(struct{ Name string }{"sftp"}))
	if err != nil || !ok {
		c.discard(ch, reqs)
		return sftpStart{err: err}
	}
	ended := make(chan struct{})
	go func() {
		ssh.DiscardRequests(reqs) // until the channel closes
		close(ended)
	}()
	pipe := &sftpPipe{Channel: ch}
	client, err := sftp.NewClientPipe(pipe, pipe, sftp.MaxPacketChecked(packet), sftp.MaxConcurrentRequestsPerFile(maxInFlight), sftp.UseConcurrentWrites(true))
	if err != nil {
		c.closeChannel(ch)
		return sftpStart{err: err}
	}
	return sftpStart{client: client, pipe: pipe, ended: ended}
}

// closeSFTP frees the session where the server limits them (MaxSessions 1); the server counts it
// until its process has ended.
func (c *Conn) closeSFTP() {
	st := &c.sftp
	if !st.mu.TryLock() {
		return // in use
	}
	defer st.mu.Unlock()
	st.close()
}

// close waits for the server; a guard of the caller's bounds that.
func (st *sftpState) close() {
	if st.client == nil {
		return
	}
	_ = st.pipe.Close()
	<-st.ended
	st.client = nil
}

func (c *Conn) sftpStartFailure(ctx context.Context, g *guard, err error) *installer.Failure {
	switch {
	case ctx.Err() != nil:
		return ContextFailure(ctx, "while starting SFTP")
	case g.fired.Load():
		return Failf(installer.KindUploadFailed, err, "the server did not start SFTP within %s", c.limits.Channel)
	}
	return Failf(installer.KindUploadFailed, err, "%s while starting SFTP", c.howEnded())
}
