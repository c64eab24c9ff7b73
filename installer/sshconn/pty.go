package sshconn

import (
	"encoding/binary"

	"golang.org/x/crypto/ssh"
)

// ptyRequest asks for a terminal that passes all bytes on as they are, in both directions, and lines
// of any length. So a program there does not see the end of its input: hanging up ends it.
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
		ssh.VREPRINT, ssh.VWERASE, ssh.VLNEXT, ssh.VDISCARD, ssh.VEOF)
	set(0,
		ssh.ISTRIP, ssh.INLCR, ssh.IGNCR, ssh.ICRNL, ssh.IXON, ssh.IXOFF, ssh.IUTF8, ssh.ISIG, ssh.IEXTEN,
		ssh.ICANON, ssh.ECHO, ssh.ECHOE, ssh.ECHOK, ssh.ECHONL, ssh.ECHOCTL, ssh.OPOST, ssh.ONLCR)
	set(1, ssh.CS8)
	return string(append(b, 0)) // TTY_OP_END
}
