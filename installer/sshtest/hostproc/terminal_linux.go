package hostproc

import (
	"fmt"
	"os"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"
)

const terminalSupported = true

// startTerminal starts the command on a new terminal.
func (p *Process) startTerminal(req *Terminal) error {
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	slave, err := openSlave(master, req)
	if err != nil {
		_ = master.Close()
		return err
	}
	defer slave.Close()
	p.Cmd.Stdin, p.Cmd.Stdout, p.Cmd.Stderr = slave, slave, slave
	p.Cmd.SysProcAttr.Setctty = true
	p.Cmd.Env = append(p.Cmd.Env, "TERM="+req.term)
	if err := p.Cmd.Start(); err != nil {
		_ = master.Close()
		return err
	}
	p.Stdin, p.Stdout = master, master
	return nil
}

func openSlave(master *os.File, req *Terminal) (*os.File, error) {
	var number int
	if err := control(master, func(fd int) (err error) {
		if err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
			return err
		}
		number, err = unix.IoctlGetInt(fd, unix.TIOCGPTN)
		return err
	}); err != nil {
		return nil, fmt.Errorf("hostproc: terminal: %w", err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	if err := control(slave, func(fd int) error { return req.apply(fd) }); err != nil {
		_ = slave.Close()
		return nil, fmt.Errorf("hostproc: terminal: %w", err)
	}
	return slave, nil
}

// apply sets those modes that a program here may ask for.
func (req *Terminal) apply(fd int) error {
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return err
	}
	for mode, field := range map[uint8]struct {
		at  *uint32
		bit uint32
	}{
		ssh.ECHO:   {&t.Lflag, unix.ECHO},
		ssh.ICANON: {&t.Lflag, unix.ICANON},
		ssh.ISIG:   {&t.Lflag, unix.ISIG},
		ssh.OPOST:  {&t.Oflag, unix.OPOST},
		ssh.ONLCR:  {&t.Oflag, unix.ONLCR},
		ssh.ICRNL:  {&t.Iflag, unix.ICRNL},
	} {
		value, ok := req.modes[mode]
		switch {
		case !ok:
		case value == 0:
			*field.at &^= field.bit
		default:
			*field.at |= field.bit
		}
	}
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, t); err != nil {
		return err
	}
	return unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: uint16(req.rows), Col: uint16(req.cols)})
}

// control calls f with the descriptor, which stays in the runtime's poller.
func control(file *os.File, f func(fd int) error) error {
	raw, err := file.SyscallConn()
	if err != nil {
		return err
	}
	var inner error
	if err := raw.Control(func(fd uintptr) { inner = f(int(fd)) }); err != nil {
		return err
	}
	return inner
}
