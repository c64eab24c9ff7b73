package hostshell

import (
	"time"
)

// Become is how the scripts get the rights that they need.
type Become int

const (
	AsLogin Become = iota // those of the login: root, or on purpose not root
	Sudo
)

// NotRoot is the error of a host that does not let us become root.
type NotRoot struct {
	Said     string // by sudo
	Rejected bool   // the password was wrong
	Code     int    // exit code of the command
}

func (e *NotRoot) Error() string { return "not root: " + e.Said }

const (
	sudoPrompt = "tripod-asks:"
	startLine  = "tripod-starts\n" // the login shell has come to our command
	readyLine  = "tripod-ready\n"
	promptWait = 3 * time.Second
	goLine     = "tripod-go\n"
	startUp    = "\n\n\n\n\n\n\n\n" + goLine // blank lines for start-up files that read their input
)

// The command lines mean the same to sh, bash, csh and fish, whichever is the login shell. They wait
// for the line tripod-go: a password that sudo did not read is dropped, not run. `read` takes no
// byte too many; the shell that begins then may, since it alone reads from there on.
const (
	awaitGo      = `while IFS= read -r l; do case $l in tripod-go) exec sh -s -- "${LC_ALL-}" "";; esac; done`
	startAsLogin = `exec sh -c '` + awaitGo + `'`
	// Nothing of root's is taken from the caller's PATH.
	// On a terminal sh would be interactive, but for +i (dash, ash) and an error output elsewhere (bash).
	startSudo = `exec sh -c 'while IFS= read -r l; do case $l in tripod-go) break;; esac; done; echo tripod-starts; a=${LC_ALL-}; u=$(id -u); t=; [ -t 0 ] && t="+i 2>/dev/null"; ` +
		`r="echo tripod-ready; while IFS= read -r l; do case \$l in tripod-go) exec /bin/sh $t -s -- \"\$1\" \"\$2\";; esac; done"; ` +
		`[ "$u" = 0 ] && exec /bin/sh -c "$r" sh "$a" 0; ` +
		`LC_ALL=C; export LC_ALL; exec sudo -k `
	endSudo = ` /bin/sh -c "$r" sh "$a" "$u"'`
)

func commandLine(become Become, password bool) string {
	switch {
	case become == AsLogin:
		return startAsLogin
	case password:
		return startSudo + "-S -p " + sudoPrompt + endSudo
	}
	return startSudo + "-n" + endSudo
}
