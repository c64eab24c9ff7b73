package sshconn

import "golang.org/x/crypto/ssh"

// Opcodes of RFC 4254, 8, as far as x/crypto has no names for them here.
const (
	ptyDisabled = 255 // as the value of a special character
	ptyEOF      = 4   // ^D
)

// ptyRequest asks for a terminal that passes bytes on as they are: no echo, no
// output processing, no signals or flow control from the input. It stays in
// canonical mode, with ^D as its only special character, because that is the
// only way for a program on a terminal to see the end of its input.
var ptyRequest = ssh.Marshal(struct {
	Term                         string
	Columns, Rows, Width, Height uint32
	Modes                        string
}{
	Term: "dumb", Columns: 200, Rows: 50,
	Modes: modes(
		mode{ssh.VINTR, ptyDisabled}, mode{ssh.VQUIT, ptyDisabled}, mode{ssh.VERASE, ptyDisabled},
		mode{ssh.VKILL, ptyDisabled}, mode{ssh.VEOF, ptyEOF}, mode{ssh.VEOL, ptyDisabled},
		mode{ssh.VEOL2, ptyDisabled}, mode{ssh.VSTART, ptyDisabled}, mode{ssh.VSTOP, ptyDisabled},
		mode{ssh.VSUSP, ptyDisabled}, mode{ssh.VREPRINT, ptyDisabled}, mode{ssh.VWERASE, ptyDisabled},
		mode{ssh.VLNEXT, ptyDisabled}, mode{ssh.VDISCARD, ptyDisabled},
		mode{ssh.ISTRIP, 0}, mode{ssh.INLCR, 0}, mode{ssh.IGNCR, 0}, mode{ssh.ICRNL, 0},
		mode{ssh.IXON, 0}, mode{ssh.IXOFF, 0}, mode{ssh.IUTF8, 0},
		mode{ssh.ISIG, 0}, mode{ssh.ICANON, 1}, mode{ssh.IEXTEN, 0},
		mode{ssh.ECHO, 0}, mode{ssh.ECHOE, 0}, mode{ssh.ECHOK, 0}, mode{ssh.ECHONL, 0}, mode{ssh.ECHOCTL, 0},
		mode{ssh.OPOST, 0}, mode{ssh.ONLCR, 0}, mode{ssh.CS8, 1},
	),
})

type mode struct {
	op    byte
	value uint32
}

func modes(list ...mode) string {
	var b []byte
	for _, m := range list {
		b = append(b, m.op, byte(m.value>>24), byte(m.value>>16), byte(m.value>>8), byte(m.value))
	}
	return string(append(b, 0)) // TTY_OP_END
}

// endInput tells the command that its input has ended. On a terminal the first
// ^D ends an unfinished line, the second one the input.
func endInput(ch ssh.Channel, pty bool) {
	if pty {
		_, _ = ch.Write([]byte{ptyEOF, ptyEOF})
	}
	_ = ch.CloseWrite()
}
