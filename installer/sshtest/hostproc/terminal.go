package hostproc

import (
	"encoding/binary"

	"golang.org/x/crypto/ssh"
)

// Terminal is a terminal as the client wants it.
type Terminal struct {
	term       string
	cols, rows uint32
	modes      map[uint8]uint32
}

func ParseTerminal(payload []byte) (*Terminal, bool) {
	var v struct {
		Term          string
		Cols, Rows    uint32
		Width, Height uint32
		Modes         string
	}
	if ssh.Unmarshal(payload, &v) != nil {
		return nil, false
	}
	p := &Terminal{v.Term, v.Cols, v.Rows, map[uint8]uint32{}}
	for m := []byte(v.Modes); len(m) >= 5 && m[0] != 0; m = m[5:] {
		p.modes[m[0]] = binary.BigEndian.Uint32(m[1:5])
	}
	return p, terminalSupported
}
