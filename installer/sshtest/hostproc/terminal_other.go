//go:build !linux

package hostproc

import "errors"

// A terminal is refused here, as sshd does it under PermitTTY no.
const terminalSupported = false

func (p *Process) startTerminal(*Terminal) error { return errors.ErrUnsupported }
