package hostshell

import (
	"bytes"
	"strings"
	"time"

	"tripod/installer/lazyregexp"
)

// Become is how the scripts get the rights that they need.
type Become int

const (
	AsLogin Become = iota // those of the login: root, or on purpose not root
	Auto                  // sudo; where there is none, doas if it asks for no password
	Sudo
	Doas
	Su
	SudoSu // the su that sudo allows, where it does not allow sh
)

// Way is a way to root.
type Way struct {
	Become   Become
	Terminal bool  // the program wants one
	Su       SuCmd // for SudoSu
}

// SuCmd is a su command that sudo allows.
type SuCmd struct {
	Line string // such as "/bin/su -"
	Free bool   // of a password
}

// NotRoot is the error of a host that does not let us become root.
type NotRoot struct {
	Ran      bool     // the program was started, or is missing; else the host ended the login
	Ways     []string // programs that the host has: of sudo, doas and su
	Said     string   // by the program, if it was started
	Asked    bool     // it asked for a password, and was given it if there is one
	Rejected bool     // it asked again
	Code     int      // exit code of the command
	Listed   string   // its standard output
}

func (e *NotRoot) Error() string { return "not root: " + e.Said }

const (
	sudoPrompt = "tripod-asks:"
	startLine  = "tripod-starts\n" // the login shell has come to our command
	readyLine  = "tripod-ready\n"
	waysWord   = "tripod-ways:"
	promptWait = 3 * time.Second
	goLine     = "tripod-go\n"
	startUp    = "\n\n\n\n\n\n\n\n" + goLine // blank lines for start-up files that read their input
)

// The command lines mean the same to sh, bash, csh and fish, whichever is the login shell. They wait
// for the line tripod-go: a password that nobody read is dropped, not run. `read` takes no
// byte too many; the shell that begins then may, since it alone reads from there on.
const (
	awaitGo      = `while IFS= read -r l; do case $l in tripod-go) exec sh -s -- "${LC_ALL-}" "";; esac; done`
	startAsLogin = `exec sh -c '` + awaitGo + `'`
	// Nothing of root's is taken from the caller's PATH.
	// A terminal is open to what others send with write(1), but for chmod.
	// On a terminal sh would be interactive, but for +i (dash, ash) and an error output elsewhere (bash).
	// Messages are in English from here on. What is printed after tripod-ways is the program's own.
	start = `exec sh -c 'while IFS= read -r l; do case $l in tripod-go) break;; esac; done; echo tripod-starts; a=${LC_ALL-}; u=$(id -u); t=; if [ -t 0 ]; then t="+i 2>/dev/null"; chmod 600 "$(tty)"; fi; ` +
		`r="echo tripod-ready; while IFS= read -r l; do case \$l in tripod-go) exec /bin/sh $t -s -- \"\$1\" \"\$2\";; esac; done"; ` +
		`[ "$u" = 0 ] && exec /bin/sh -c "$r" sh "$a" 0; ` +
		`LC_ALL=C; export LC_ALL; p=; for w in sudo doas su; do command -v $w >/dev/null 2>&1 && p="$p $w"; done; echo "tripod-ways: $u$p" >&2; `
	rootShell = ` /bin/sh -c "$r" sh "$a" "$u"`
)

func commandLine(way Way, password bool) string {
	sudo, doas := "exec sudo -k -n", "exec doas -n"
	if password {
		sudo = "exec sudo -k -S -p " + sudoPrompt
	}
	if password && way.Terminal { // it reads from there alone
		doas = "exec doas"
	}
	switch way.Become {
	case Auto:
		return start + "case $p in *sudo*) " + sudo + rootShell + ";; *doas*) " + doas + rootShell + ";; esac; exit 127'"
	case Sudo:
		return start + sudo + rootShell + "'"
	case Doas:
		return start + doas + rootShell + "'"
	case Su: // root's shell may be any, and is to have nothing of the caller's environment
		return start + `exec env -i PATH="$PATH" LC_ALL=C su -s /bin/sh -c "$r" root sh "$a" "$u"'`
	case SudoSu:
		if way.Su.Free {
			sudo = "exec sudo -k -n"
		}
		return start + sudo + " " + way.Su.Line + "'"
	}
	return startAsLogin
}

// listLine has sudo tell what it allows. Without a password it tells by -v alone that the user
// is not in sudoers.
func listLine(password bool) string {
	if password {
		return start + "exec sudo -k -S -p " + sudoPrompt + " -l'"
	}
	return start + "sudo -n -l 2>/dev/null || exec sudo -n -v'"
}

// loginShellLine is for root's own login shell, whichever it is.
func loginShellLine(terminal bool, uid string) string {
	options := ""
	if terminal {
		options = "+i 2>/dev/null "
	}
	return `exec /bin/sh -c 'echo tripod-ready; while IFS= read -r l; do case $l in tripod-go) exec /bin/sh ` + options +
		`-s -- "$1" "$2";; esac; done' sh "" ` + uid + "\n"
}

var (
	passwordQuestion = lazyregexp.New(`(?i)pass(word|code|phrase).*: *$`)
	questionLine     = lazyregexp.New(`(?im)^.*pass(word|code|phrase).*: *$`)
	rustPrompt       = lazyregexp.New(`\[sudo: ` + sudoPrompt + `\][^\n:]*: ?`)
	digits           = lazyregexp.New(`^[0-9]{1,10}$`)
)

// program is what the program that makes us root prints, and what is there of such.
type program struct {
	begun bool // tripod-ways was printed
	uid   string
	ways  []string
	text  []byte // after that; before, the end of what came

	prompts  spotter // sudo's questions have our word in them
	ownWords bool    // the others ask as they like
	asked    bool    // the last line is known to ask
}

// add takes what was printed, and returns how often it is a question for a password.
func (p *program) add(b []byte) (questions int) {
	if !p.begun {
		p.text = append(p.text, b...)
		at := strings.Index(string(p.text), waysWord)
		if at < 0 {
			p.text = p.text[max(0, len(p.text)-len(waysWord)):]
			return 0
		}
		line, rest, whole := strings.Cut(string(p.text[at:]), "\n")
		if !whole {
			return 0
		}
		words := strings.Fields(line)[1:]
		p.begun, p.text, b = true, nil, []byte(rest)
		if len(words) > 0 && digits().MatchString(words[0]) {
			p.uid, p.ways = words[0], words[1:min(len(words), 4)]
		}
	}
	p.text = append(p.text, b...)
	p.text = p.text[max(0, len(p.text)-maxNoise):]
	if !p.ownWords {
		return p.prompts.count(b)
	}
	if bytes.IndexByte(b, '\n') >= 0 {
		p.asked = false
	}
	if !p.asked && passwordQuestion().Match(p.text[p.lastLine():]) {
		p.asked = true
		return 1
	}
	return 0
}

// words are those of the program, without its questions to us.
func (p *program) words() string {
	if p.ownWords {
		return string(questionLine().ReplaceAll(p.text, nil))
	}
	text := rustPrompt().ReplaceAll(p.text, nil)
	return string(bytes.ReplaceAll(text, []byte(sudoPrompt), nil))
}

// isSudoRs, by how it asks.
func (p *program) isSudoRs() bool { return bytes.Contains(p.text, []byte("[sudo: "+sudoPrompt)) }

// lastLine is where the last line begins.
func (p *program) lastLine() int { return bytes.LastIndexByte(p.text, '\n') + 1 }

// waits: it has printed something, and may wait for an answer to that. A terminal's program drops
// what was typed before it asked.
func (p *program) waits(terminal bool) bool {
	text := p.text
	if terminal {
		text = text[p.lastLine():]
	}
	return p.begun && len(bytes.TrimSpace(text)) > 0
}
