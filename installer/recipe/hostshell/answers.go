package hostshell

import (
	"bytes"
	"strconv"
	"strings"
	"sync"

	"tripod/installer"
)

const (
	maxHeader = 4096    // bytes of a frame's first line
	maxOutput = 1 << 20 // bytes of output in a frame
	maxNoise  = 4096    // bytes kept of what a login shell prints, and of what a program says that makes us root
)

// answers reads what comes from the host. Until our scripts say hello, it is noise of a login
// shell or words of sudo and the like. After that it is frames, which scripts/host/lib.sh describes, and
// anything else is a fault: nothing that a script prints can be taken for an answer.
type answers struct {
	terminal bool          // stderr comes with stdout
	hello    []byte        // is random: no noise has it
	begins   chan struct{} // closed when hello was said
	starts   chan struct{} // closed when the login shell begins to become root
	ready    chan struct{} // closed when root's shell is there
	asked    chan struct{} // one for each question for a password
	spoke    chan struct{} // something was printed by what makes us root
	echo     chan struct{} // closed when what we sent came back

	mu       sync.Mutex
	begun    bool   // hello was said
	pending  []byte // what is not yet complete
	noise    []byte
	program  program
	starters spotter
	readies  spotter
	errors   installer.Tail
	left     int // bytes of output that the frame still has
	fault    string

	request Request
	reply   Reply
	done    chan struct{} // closed at the end of an answer, or at a fault; nil: nothing is asked
}

func newAnswers(become Become, terminal bool) *answers {
	return &answers{
		terminal: terminal, hello: []byte("tripod:" + random() + "\n"), begins: make(chan struct{}), starts: make(chan struct{}), ready: make(chan struct{}),
		asked: make(chan struct{}, 2), spoke: make(chan struct{}, 1), echo: make(chan struct{}),
		starters: spotter{word: startLine}, readies: spotter{word: readyLine},
		program: program{prompts: spotter{word: sudoPrompt}, ownWords: become == Doas || become == Su},
	}
}

// token is a line that no noise has.
func (a *answers) token() string { return strings.TrimSpace(string(a.hello)) }

// attach begins the answer of q, and returns what is closed at its end.
func (a *answers) attach(q Request) <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	done := make(chan struct{})
	a.request, a.reply, a.done = q, Reply{}, done
	a.errors = installer.Tail{}
	if a.fault != "" { // since the last answer
		a.finish()
	}
	return done
}

// detach ends it: nothing of the request is used any more.
func (a *answers) detach() (reply Reply, fault string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.finish()
	if !a.begun {
		a.addNoise(a.pending)
		a.pending = nil
	}
	a.reply.Noise, a.reply.Stderr = string(a.noise), a.errors.String()
	a.request = Request{}
	return a.reply, a.fault
}

func (a *answers) finish() {
	if a.done != nil {
		close(a.done)
		a.done = nil
	}
}

func (a *answers) stderr(p []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.listen(p)
	_, _ = a.errors.Write(p)
}

func (a *answers) stdout(p []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.begun {
		p = a.greeting(p)
	}
	for len(p) > 0 && a.fault == "" {
		if a.left > 0 {
			n := min(a.left, len(p))
			a.output(p[:n])
			p = p[n:]
			continue
		}
		p = a.header(p)
	}
}

// greeting reads up to hello, and returns what comes after it.
func (a *answers) greeting(p []byte) []byte {
	if a.terminal {
		plain := bytes.ReplaceAll(p, []byte("\r"), nil)
		a.listen(plain)
		a.spot(plain)
	} else {
		a.spot(p)
	}
	b := append(a.pending, p...)
	at := bytes.Index(b, a.hello)
	if at < 0 && a.terminal { // if it is not raw
		b = bytes.ReplaceAll(b, []byte("\r"), nil)
		at = bytes.Index(b, a.hello)
	}
	end := at
	if at < 0 {
		end = len(b)
	}
	if bytes.Contains(b[:end], []byte(goLine)) {
		a.addNoise(b[:end])
		a.pending = nil
		if !isClosed(a.echo) {
			close(a.echo)
		}
		return nil
	}
	if at < 0 {
		keep := min(len(b), len(a.hello)-1)
		a.addNoise(b[:len(b)-keep])
		a.pending = bytes.Clone(b[len(b)-keep:])
		return nil
	}
	a.addNoise(b[:at])
	a.begun, a.pending = true, nil
	close(a.begins)
	return b[at+len(a.hello):]
}

func (a *answers) addNoise(p []byte) {
	if a.terminal {
		p = bytes.ReplaceAll(p, []byte("\r"), nil)
	}
	a.noise = append(a.noise, p[:min(len(p), maxNoise-len(a.noise))]...)
}

// spot tells who waits for our command, and for root's shell.
func (a *answers) spot(p []byte) {
	if a.starters.count(p) > 0 && !isClosed(a.starts) {
		close(a.starts)
	}
	if a.readies.count(p) > 0 && !isClosed(a.ready) {
		close(a.ready)
	}
}

// listen hears what makes us root, and tells who waits for it.
func (a *answers) listen(p []byte) {
	if a.begun {
		return
	}
	for range a.program.add(p) {
		select {
		case a.asked <- struct{}{}:
		default: // asked often enough
		}
	}
	select {
	case a.spoke <- struct{}{}:
	default:
	}
}

// waitsForAnswer: what makes us root has printed something, which may be a question.
func (a *answers) waitsForAnswer() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.program.waits(a.terminal)
}

func (a *answers) isSudoRs() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.program.isSudoRs()
}

// started tells, once the program was started, the user id of the login.
func (a *answers) started() (uid string, started bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.program.uid, a.program.begun
}

// header reads the first line of a frame, and returns what comes after it.
func (a *answers) header(p []byte) []byte {
	end := bytes.IndexByte(p, '\n')
	if end < 0 {
		if a.pending = append(a.pending, p...); len(a.pending) > maxHeader {
			a.broken("a line of more than 4096 bytes")
		}
		return nil
	}
	line := string(append(a.pending, p[:end]...))
	a.pending = a.pending[:0]
	word, rest, _ := strings.Cut(strings.TrimSuffix(line, "\r"), " ")
	n, err := strconv.Atoi(rest)
	switch {
	case len(line) > maxHeader:
		a.broken("a line of more than 4096 bytes")
	case a.done == nil:
		a.broken("an answer that nobody asked for")
	case word == ":":
		if a.request.Each != nil {
			a.request.Each(ParseFinding(rest))
		}
	case word == "o" && err == nil && n > 0 && n <= maxOutput:
		a.left = n
	case word == "." && err == nil && n >= 0 && n < 256:
		a.reply.Complete, a.reply.Code = true, n
		a.finish()
	default:
		a.broken("a line that is no answer")
	}
	return p[end+1:]
}

func (a *answers) output(p []byte) {
	a.left -= len(p)
	a.reply.Written += int64(len(p))
	if a.request.Output != nil {
		_, _ = a.request.Output.Write(p)
	}
}

func (a *answers) broken(what string) {
	a.fault = "the host does not keep to the protocol: " + what
	a.finish()
}

// spotter counts a word in a stream.
type spotter struct {
	word string
	end  []byte // of the stream, where the word may have begun
}

func (s *spotter) count(p []byte) int {
	b := append(s.end, p...)
	n := bytes.Count(b, []byte(s.word))
	if at := bytes.LastIndex(b, []byte(s.word)); at >= 0 {
		b = b[at+len(s.word):]
	}
	s.end = bytes.Clone(b[max(0, len(b)-len(s.word)+1):])
	return n
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
