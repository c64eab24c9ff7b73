package sshconn

import (
	"encoding/binary"

	"golang.org/x/crypto/ssh"
)

const ptyEOF = 4 // ^D

// ptyRequest asks for a terminal that passes bytes on as they are. It stays in canonical mode,
// with ^D as its only special character: else no program there sees the end of its input.
var ptyRequest = ssh.Marshal(struct {
	Term                         string
	Columns, Rows, Width, Height uint32
	Modes                        string
}{Term: "dumb", Columns: 200, Rows: 50, Modes: terminalModes()})

func terminalModes() string {
	var b []byte
	set := func(value uint32, modes ...byte) {
		for _, mode := range modes {
			b = binary.BigEndian.AppendUint32(append(b, mode), value)
		}
	}
	set(255, // no such character
		ssh.VINTR, ssh.VQUIT, ssh.VERASE, ssh.VKILL, ssh.VEOL, ssh.VEOL2, ssh.VSTART, ssh.VSTOP, ssh.VSUSP,
		ssh.VREPRINT, ssh.VWERASE, ssh.VLNEXT, ssh.VDISCARD)
	set(ptyEOF, ssh.VEOF)
	set(0,
		ssh.ISTRIP, ssh.INLCR, ssh.IGNCR, ssh.ICRNL, ssh.IXON, ssh.IXOFF, ssh.IUTF8, ssh.ISIG, ssh.IEXTEN,
		ssh.ECHO, ssh.ECHOE, ssh.ECHOK, ssh.ECHONL, ssh.ECHOCTL, ssh.OPOST, ssh.ONLCR)
	set(1, ssh.ICANON, ssh.CS8)
	return string(append(b, 0)) // TTY_OP_END
}

// endInput: on a terminal the first ^D ends an unfinished line, the second one the input.
func endInput(ch ssh.Channel, pty bool) {
	if pty {
		_, _ = ch.Write([]byte{ptyEOF, ptyEOF})
	}
	_ = ch.CloseWrite()
}
