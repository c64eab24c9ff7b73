//go:build !linux

package sshtest

import "errors"

// A terminal is refused here, as sshd does it under PermitTTY no.
const ptySupported = false

func (p *process) startPTY(*ptyRequest) error { return errors.ErrUnsupported }
