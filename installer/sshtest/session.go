package sshtest

import (
	"io"
	"strings"
	"sync"

	"golang.org/x/crypto/ssh"

	"tripod/installer/sshtest/hostproc"
)

// session is one channel of type session.
type session struct {
	*link
	ch     ssh.Channel
	detail string // the command's line, for faults
	env    []string
	pty    *hostproc.Terminal
	proc   *hostproc.Process // nil until something runs
	closed chan struct{}     // closed when the channel is

	mu   sync.Mutex // guards sent
	sent int64      // bytes of output, both streams
}

func (l *link) session(nc ssh.NewChannel) {
	if !l.enter() {
		_ = nc.Reject(ssh.ConnectionFailed, "open failed")
		return
	}
	defer l.leave()
	ch, reqs, err := nc.Accept()
	if err != nil {
		return
	}
	ss := &session{link: l, ch: ch, closed: make(chan struct{})}
	defer ch.Close()
	var running sync.WaitGroup
	defer running.Wait()
	defer close(ss.closed)
	started := false
	for req := range reqs {
		ok := false
		switch req.Type {
		case "env":
			var v struct{ Name, Value string }
			if ok = ssh.Unmarshal(req.Payload, &v) == nil; ok {
				l.srv.counts.add(func(k *Counts) { k.Env = append(k.Env, v.Name+"="+v.Value) })
				// sshd takes LANG and LC_* only.
				if ok = v.Name == "LANG" || strings.HasPrefix(v.Name, "LC_"); ok {
					ss.env = append(ss.env, v.Name+"="+v.Value)
				}
			}
		case "pty-req":
			ss.pty, ok = hostproc.ParseTerminal(req.Payload)
			if ok {
				l.srv.counts.add(func(k *Counts) { k.PTYs++ })
			}
		case "signal":
			var v struct{ Name string }
			if ssh.Unmarshal(req.Payload, &v) == nil && ss.proc != nil && !l.srv.cfg.IgnoreSignals {
				ss.proc.Signal(v.Name)
			}
			ok = true
		case "exec", "shell", "subsystem":
			if started {
				break
			}
			var v struct{ Text string }
			if req.Type != "shell" && ssh.Unmarshal(req.Payload, &v) != nil {
				break
			}
			var serve func()
			if serve = ss.begin(req.Type, v.Text); serve == nil {
				break
			}
			ok, started = true, true
			_ = req.Reply(true, nil)
			running.Go(serve)
			continue
		}
		if req.WantReply {
			_ = req.Reply(ok, nil)
		}
	}
}

// begin decides about a request that starts something, and returns what is to
// be done after the reply; nil: refused.
func (ss *session) begin(kind, text string) func() {
	stage := ExecRequest
	switch {
	case kind == "exec":
		ss.srv.counts.add(func(k *Counts) { k.Execs = append(k.Execs, text) })
	case kind == "subsystem" && text == "sftp":
		stage = SFTPStart
	case kind == "subsystem":
		return nil
	}
	ss.detail = text
	if f := ss.fault(stage, text, 0); f != nil {
		switch f.Action {
		case Refuse:
			return nil
		case Garbage:
			_, _ = ss.ch.Write(f.noise())
		default:
			if err := ss.perform(f, false); err != nil {
				return nil
			}
		}
	}
	if stage == SFTPStart {
		if ss.srv.cfg.SFTP == SFTPOff {
			return nil
		}
		return ss.serveSFTP
	}
	proc, err := ss.start(text)
	if err != nil {
		ss.srv.cfg.Logf("connection %d: %v", ss.n, err)
		return nil
	}
	ss.proc = proc
	return func() { ss.follow(proc) }
}

// exit ends the channel as sshd does: exit-status, then close. drained is
// closed when the output has ended, which may be long after the command.
func (ss *session) exit(code int, signal string, drained <-chan struct{}) {
	told := true
	if f := ss.fault(ExitStatus, ss.detail, 0); f != nil {
		switch f.Action {
		case Lie:
			code, signal = f.Code, ""
		case Signal:
			if signal = f.Text; signal == "" {
				signal = "KILL"
			}
		case Omit, Refuse:
			told = false
		default:
			if ss.perform(f, false) != nil {
				return
			}
		}
	}
	switch {
	case !told:
	case signal != "":
		_, _ = ss.ch.SendRequest("exit-signal", false, ssh.Marshal(struct {
			Name  string
			Core  bool
			Error string
			Lang  string
		}{Name: signal}))
	default:
		_, _ = ss.ch.SendRequest("exit-status", false, ssh.Marshal(struct{ Code uint32 }{uint32(code)}))
	}
	select {
	case <-drained:
	case <-ss.closed:
		return // its output may still be writing, which CloseWrite must not meet
	}
	if f := ss.fault(Close, ss.detail, 0); f != nil {
		if f.Action == Omit {
			<-ss.gone
			return
		}
		if ss.perform(f, false) != nil {
			return
		}
	}
	_ = ss.ch.CloseWrite()
	_ = ss.ch.Close()
}

// output is where a stream of the command goes, with the faults of Output.
type output struct {
	ss *session
	w  io.Writer
}

func (o output) Write(p []byte) (int, error) {
	ss := o.ss
	ss.mu.Lock()
	before := ss.sent
	ss.sent += int64(len(p))
	ss.mu.Unlock()
	f := ss.fault(Output, ss.detail, before+int64(len(p)))
	if f == nil {
		return o.w.Write(p)
	}
	// What is due before After goes out as it is.
	first := int(min(max(f.After-before, 0), int64(len(p))))
	n, err := o.w.Write(p[:first])
	if err != nil {
		return n, err
	}
	rest := p[first:]
	switch f.Action {
	case Garbage:
		_, err = o.w.Write(f.noise())
		return len(p), err
	case Omit:
		return len(p), nil
	case Flood:
		for err == nil {
			_, err = o.w.Write(f.noise())
		}
		return n, err
	case Drip:
		for i := range rest {
			if err := ss.sleep(f, f.dripDelay()); err != nil {
				return n + i, err
			}
			if _, err := o.w.Write(rest[i : i+1]); err != nil {
				return n + i, err
			}
		}
		return len(p), nil
	}
	if err := ss.perform(f, false); err != nil {
		return n, err
	}
	m, err := o.w.Write(rest)
	return n + m, err
}
