package main

import (
	"context"
	"fmt"

	"tripod/installer"
	"tripod/installer/hostsfile"
)

// accessFlags say how to get into the hosts, where the hosts file does not.
// Secrets come from a prompt or a file; no flag and no variable holds one.
type accessFlags struct {
	User             string `default:"${user}" help:"Login user."`
	Port             uint16 `default:"22" help:"SSH port."`
	Identity         string `short:"i" type:"path" placeholder:"FILE" help:"Private key."`
	PassphraseFile   string `type:"path" placeholder:"FILE" help:"Passphrase of the private key; asked for where it is needed and not given."`
	AskPass          bool   `help:"Ask for the login password."`
	PasswordFile     string `type:"path" placeholder:"FILE" help:"Login password: the first line of FILE."`
	Sudo             bool   `negatable:"" default:"true" help:"Become root with sudo where the login is another user."`
	AskSudoPass      bool   `help:"Ask for sudo's password, where it is not the login password."`
	SudoPasswordFile string `type:"path" placeholder:"FILE" help:"Sudo's password: the first line of FILE."`

	Via               []string `placeholder:"[USER@]HOST[:PORT]" help:"Jump host; several make a chain, first hop first."`
	ViaIdentity       []string `type:"path" placeholder:"FILE" help:"Private key for the jump host; one for all hops, or one per hop."`
	ViaPassphraseFile string   `type:"path" placeholder:"FILE" help:"Passphrase of the jump hosts' private keys."`
	AskViaPass        bool     `help:"Ask for the jump host's password."`
	ViaPasswordFile   []string `type:"path" placeholder:"FILE" help:"Password for the jump host; one for all hops, or one per hop."`
}

// access is accessFlags with the files read and the questions answered.
type access struct {
	login        installer.Login
	sudoPassword installer.Secret
	via          []installer.Endpoint
	viaLogins    []installer.Login
}

// resolve reads the files and asks the questions.
func (f *accessFlags) resolve(ctx context.Context) (access, error) {
	var a access
	var err error
	if err := f.check(); err != nil {
		return a, err
	}
	if a.login.PrivateKey, a.login.Passphrase, err = readIdentity(ctx, "--identity", f.Identity, f.PassphraseFile); err != nil {
		return a, err
	}
	if a.login.Password, err = askOrRead(ctx, "--ask-pass", f.AskPass, "Login password", "--password-file", f.PasswordFile); err != nil {
		return a, err
	}
	if a.sudoPassword, err = askOrRead(ctx, "--ask-sudo-pass", f.AskSudoPass, "Sudo password", "--sudo-password-file", f.SudoPasswordFile); err != nil {
		return a, err
	}
	err = f.resolveVia(ctx, &a)
	return a, err
}

// check finds flags that contradict each other.
func (f *accessFlags) check() error {
	var faults installer.Faults
	both := func(ask bool, askFlag string, file bool, fileFlag string) {
		if ask && file {
			faults.Add(askFlag, "not together with %s", fileFlag)
		}
	}
	both(f.AskPass, "--ask-pass", f.PasswordFile != "", "--password-file")
	both(f.AskSudoPass, "--ask-sudo-pass", f.SudoPasswordFile != "", "--sudo-password-file")
	both(f.AskViaPass, "--ask-via-pass", len(f.ViaPasswordFile) > 0, "--via-password-file")
	if f.PassphraseFile != "" && f.Identity == "" {
		faults.Add("--passphrase-file", "needs --identity: what opens a hosts file's keys is in its passphrase column")
	}
	if f.ViaPassphraseFile != "" && len(f.ViaIdentity) == 0 {
		faults.Add("--via-passphrase-file", "needs --via-identity")
	}
	if !f.Sudo && (f.AskSudoPass || f.SudoPasswordFile != "") {
		faults.Add("--no-sudo", "not together with --ask-sudo-pass or --sudo-password-file")
	}
	if f.Port == 0 {
		faults.Add("--port", "must be 1–65535")
	}
	hops := len(f.Via)
	perHop := func(n int, flag string) {
		switch {
		case n > 0 && hops == 0:
			faults.Add(flag, "needs --via")
		case n > 1 && n != hops:
			faults.Add(flag, "give it once for all hops, or once per hop: %d given for %d hops", n, hops)
		}
	}
	perHop(len(f.ViaIdentity), "--via-identity")
	perHop(len(f.ViaPasswordFile), "--via-password-file")
	if f.AskViaPass {
		perHop(1, "--ask-via-pass")
	}
	if hops > 0 && len(f.ViaIdentity) == 0 && len(f.ViaPasswordFile) == 0 && !f.AskViaPass {
		faults.Add("--via", "needs a login of its own: --via-identity, --via-password-file or --ask-via-pass (the hosts' own logins are never shown to a jump host)")
	}
	return faults.Err()
}

// resolveVia makes one endpoint and one login per hop.
func (f *accessFlags) resolveVia(ctx context.Context, a *access) error {
	for _, hop := range f.Via {
		e, err := hostsfile.ParseEndpoint(hop, "root", installer.DefaultPort)
		if err != nil { // the text is not quoted: somebody may have put a password into it
			return usageError(fmt.Errorf("--via, hop %d: %w", len(a.via)+1, err), "want [user@]host[:port]")
		}
		a.via = append(a.via, e)
	}
	a.viaLogins = make([]installer.Login, len(a.via))
	for i := range a.via {
		login := &a.viaLogins[i]
		var err error
		if login.PrivateKey, login.Passphrase, err = readIdentity(ctx, "--via-identity", perHopValue(f.ViaIdentity, i), f.ViaPassphraseFile); err != nil {
			return err
		}
		if f.AskViaPass && i > 0 {
			login.Password = a.viaLogins[0].Password // asked once, for all hops
			continue
		}
		if login.Password, err = askOrRead(ctx, "--ask-via-pass", f.AskViaPass, "Jump host password", "--via-password-file", perHopValue(f.ViaPasswordFile, i)); err != nil {
			return err
		}
	}
	return nil
}

func perHopValue(values []string, hop int) string {
	switch len(values) {
	case 0:
		return ""
	case 1:
		return values[0]
	}
	return values[hop]
}
