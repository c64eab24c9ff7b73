// Package flags has the flags that several commands share: which hosts, how to log in to
// them, what is installed there. Each group checks its flags and reads its files.
package flags

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/alecthomas/kong"

	"tripod/cmd/tripod/internal/exit"
	"tripod/cmd/tripod/internal/term"
	"tripod/installer"
	"tripod/installer/hostsfile"
	"tripod/installer/lazyregexp"
	"tripod/installer/privkey"
)

// DefaultUser is the login user where none is given.
const DefaultUser = "root"

// Access says how to log in to the hosts, where the hosts file does not say it. Secrets
// come from a prompt or a file; no flag and no variable holds one.
type Access struct {
	User             string `default:"${user}" help:"Login user."`
	Port             uint16 `default:"22" help:"SSH port."`
	Identity         string `short:"i" type:"path" placeholder:"FILE" help:"Private key."`
	PassphraseFile   string `type:"path" placeholder:"FILE" help:"Passphrase of the private key; without it you are asked if one is needed."`
	AskPass          bool   `help:"Ask for the login password."`
	PasswordFile     string `type:"path" placeholder:"FILE" help:"Login password: the first line of FILE."`
	Sudo             bool   `negatable:"" default:"true" help:"Become root where the login user is not root."`
	Become           string `enum:",sudo,doas,su" default:"" placeholder:"sudo|doas|su" help:"How to become root, where the hosts file does not say it; without it: sudo, or doas where there is no sudo."`
	AskSudoPass      bool   `help:"Ask for the password for sudo or doas, where it differs from the login password; for su: the password of root."`
	SudoPasswordFile string `type:"path" placeholder:"FILE" help:"That password: the first line of FILE."`

	Via               []string `placeholder:"[USER@]HOST[:PORT]" help:"Jump host; several make a chain, first hop first."`
	ViaIdentity       []string `type:"path" placeholder:"FILE" help:"Private key for the jump host; one for all hops, or one per hop."`
	ViaPassphraseFile string   `type:"path" placeholder:"FILE" help:"Passphrase of the jump hosts' private keys."`
	AskViaPass        bool     `help:"Ask for the jump host's password."`
	ViaPasswordFile   []string `type:"path" placeholder:"FILE" help:"Password for the jump host; one for all hops, or one per hop."`
}

// saysHow: something is said of the login or the way.
func (f *Access) saysHow() bool {
	return f.User != DefaultUser || f.Port != installer.DefaultPort || f.Identity != "" || f.AskPass || f.PasswordFile != "" || len(f.Via) > 0
}

// become is how root is reached on h.
func (f *Access) become(h *installer.Host) {
	if !f.Sudo {
		h.Become = installer.BecomeNever
	}
	h.Become = cmp.Or(h.Become, installer.Become(f.Become))
}

// rootPassword is how that password is asked for.
func (f *Access) rootPassword() string {
	if installer.Become(f.Become) == installer.BecomeSu {
		return "Password of root on the hosts"
	}
	return "Sudo password"
}

// resolve reads the secrets, or asks for them. The project of hosts is not of the flags.
func (f *Access) resolve(ctx context.Context) (d hostsfile.Defaults, err error) {
	d.User, d.Port = f.User, f.Port
	if err = f.check(); err != nil {
		return d, err
	}
	if d.Login.PrivateKey, d.Login.Passphrase, err = readIdentity(ctx, "--identity", f.Identity, f.PassphraseFile); err != nil {
		return d, err
	}
	if d.Login.Password, err = askOrRead(ctx, "--ask-pass", f.AskPass, "Login password", "--password-file", f.PasswordFile); err != nil {
		return d, err
	}
	if d.SudoPassword, err = askOrRead(ctx, "--ask-sudo-pass", f.AskSudoPass, f.rootPassword(), "--sudo-password-file", f.SudoPasswordFile); err != nil {
		return d, err
	}
	return d, f.resolveVia(ctx, &d)
}

func (f *Access) check() error {
	hops, viaLogins := len(f.Via), len(f.ViaIdentity)+len(f.ViaPasswordFile)
	if f.AskViaPass {
		viaLogins++
	}
	perHop := func(n int) bool { return n <= 1 || hops == 0 || n == hops }
	const askOrFile, oncePerHop = "cannot be combined with %s", "give it once for all hops, or once per hop"
	var faults installer.Faults
	Refuse(&faults, f.AskPass && f.PasswordFile != "", "--ask-pass", fmt.Sprintf(askOrFile, "--password-file"))
	Refuse(&faults, f.AskSudoPass && f.SudoPasswordFile != "", "--ask-sudo-pass", fmt.Sprintf(askOrFile, "--sudo-password-file"))
	Refuse(&faults, f.AskViaPass && len(f.ViaPasswordFile) > 0, "--ask-via-pass", fmt.Sprintf(askOrFile, "--via-password-file"))
	Refuse(&faults, f.PassphraseFile != "" && f.Identity == "", "--passphrase-file", "needs --identity: the passphrases of a hosts file's keys are in its passphrase column")
	Refuse(&faults, f.ViaPassphraseFile != "" && len(f.ViaIdentity) == 0, "--via-passphrase-file", "needs --via-identity")
	Refuse(&faults, !f.Sudo && (f.AskSudoPass || f.SudoPasswordFile != ""), "--no-sudo", "cannot be combined with --ask-sudo-pass or --sudo-password-file")
	Refuse(&faults, !f.Sudo && f.Become != "", "--no-sudo", "cannot be combined with --become")
	Refuse(&faults, f.Port == 0, "--port", "must be 1–65535")
	Refuse(&faults, hops == 0 && len(f.ViaIdentity) > 0, "--via-identity", "needs --via")
	Refuse(&faults, hops == 0 && len(f.ViaPasswordFile) > 0, "--via-password-file", "needs --via")
	Refuse(&faults, hops == 0 && f.AskViaPass, "--ask-via-pass", "needs --via")
	Refuse(&faults, !perHop(len(f.ViaIdentity)), "--via-identity", fmt.Sprintf("%s: %d given for %d hops", oncePerHop, len(f.ViaIdentity), hops))
	Refuse(&faults, !perHop(len(f.ViaPasswordFile)), "--via-password-file", fmt.Sprintf("%s: %d given for %d hops", oncePerHop, len(f.ViaPasswordFile), hops))
	Refuse(&faults, hops > 0 && viaLogins == 0, "--via", "needs a login of its own: --via-identity, --via-password-file or --ask-via-pass (jump hosts never get the hosts' own logins)")
	return faults.Err()
}

func (f *Access) resolveVia(ctx context.Context, d *hostsfile.Defaults) error {
	for i, hop := range f.Via {
		e, err := hostsfile.ParseEndpoint(hop, DefaultUser, installer.DefaultPort)
		if err != nil { // the text is not quoted: somebody may have put a password into it
			return exit.UsageError(fmt.Errorf("--via, hop %d: %w", i+1, err), "must be [user@]host[:port]")
		}
		d.Via = append(d.Via, e)
	}
	d.ViaLogins = make([]installer.Login, len(d.Via))
	for i := range d.Via {
		login := &d.ViaLogins[i]
		var err error
		if login.PrivateKey, login.Passphrase, err = readIdentity(ctx, "--via-identity", ofHop(f.ViaIdentity, i), f.ViaPassphraseFile); err != nil {
			return err
		}
		if f.AskViaPass && i > 0 {
			login.Password = d.ViaLogins[0].Password // asked once, for all hops
			continue
		}
		if login.Password, err = askOrRead(ctx, "--ask-via-pass", f.AskViaPass, "Jump host password", "--via-password-file", ofHop(f.ViaPasswordFile, i)); err != nil {
			return err
		}
	}
	return nil
}

func ofHop(values []string, hop int) string {
	if len(values) == 0 {
		return ""
	}
	return values[min(hop, len(values)-1)]
}

func askOrRead(ctx context.Context, askFlag string, ask bool, question, fileFlag, file string) (secret installer.Secret, err error) {
	switch {
	case ask:
		secret, err = term.AskSecret(ctx, question)
		if errors.Is(err, term.ErrNoTerminal) {
			return secret, exit.UsageError(fmt.Errorf("%s: %w", askFlag, err), "give the password with "+fileFlag+" FILE")
		}
		if errors.Is(err, term.ErrPromptEnded) {
			err = exit.Usagef("%s: %w", askFlag, err)
		}
	case file != "":
		if secret, err = term.FirstLine(file); err != nil {
			err = exit.Usagef("%s: %w", fileFlag, err)
		}
	}
	return secret, err
}

// readIdentity reads a private key and, where it is encrypted, its passphrase
// from passphraseFile or a prompt. It tells at once if the key cannot be used.
func readIdentity(ctx context.Context, flag, file, passphraseFile string) (key, passphrase installer.Secret, err error) {
	if file == "" {
		return key, passphrase, nil
	}
	if key, err = term.SecretFile(file); err != nil {
		return key, passphrase, exit.Usagef("%s: %w", flag, err)
	}
	if passphraseFile != "" {
		if passphrase, err = term.FirstLine(passphraseFile); err != nil {
			return key, passphrase, exit.Usagef("passphrase of %s: %w", flag, err)
		}
	}
	_, err = privkey.Parse(key, passphrase)
	if passphrase.IsZero() && errors.Is(err, privkey.ErrPassphraseNeeded) {
		passphrase, err = term.AskSecret(ctx, "Passphrase of "+file)
		if errors.Is(err, term.ErrNoTerminal) {
			return key, passphrase, exit.UsageError(fmt.Errorf("%s %s is encrypted, and %w", flag, file, err), "give its passphrase with --passphrase-file (--via-passphrase-file) FILE")
		}
		if err != nil {
			return key, passphrase, err
		}
		_, err = privkey.Parse(key, passphrase)
	}
	if err != nil {
		err = exit.Usagef("%s %s: %w", flag, file, err)
	}
	return key, passphrase, err
}

// DefaultKeys are the keys for hosts that come without a login. Each is one
// project's: a key for all would let whoever may ask for work in one project
// log in to the hosts of every other.
type DefaultKeys struct {
	DefaultKey  []string `placeholder:"[PROJECT=]FILE" help:"Private key for the hosts of a project that come without a login (default project: \"default\"); can be repeated."`
	DefaultPass []string `name:"default-key-passphrase-file" placeholder:"[PROJECT=]FILE" help:"Passphrase of that project's default key."`
}

// ofProject tells PROJECT=FILE from a file whose name has a '=' in it: that one
// is written ./a=b. otherwise is the project where none is named.
var ofProject = lazyregexp.New(`^([A-Za-z0-9_-]{1,64})=(.*)$`)

func perProject(flag, otherwise string, values []string, faults *installer.Faults) map[string]string {
	files := map[string]string{}
	for _, value := range values {
		project, file := otherwise, value
		if parts := ofProject().FindStringSubmatch(value); parts != nil {
			project, file = parts[1], parts[2]
		}
		switch _, twice := files[project]; {
		case file == "":
			faults.Add(flag, "names no file: must be [PROJECT=]FILE")
		case twice:
			faults.Add(flag, "the project %q has two: give one for each project", project)
		default:
			files[project] = kong.ExpandPath(file)
		}
	}
	return files
}

// Logins reads the keys, by project.
func (f DefaultKeys) Logins(ctx context.Context, warn warning) (map[string]installer.Login, error) {
	const keyFlag, passFlag = "--default-key", "--default-key-passphrase-file"
	var faults installer.Faults
	keys := perProject(keyFlag, installer.DefaultProject, f.DefaultKey, &faults)
	passphrases := perProject(passFlag, installer.DefaultProject, f.DefaultPass, &faults)
	for project := range passphrases {
		if _, ok := keys[project]; !ok {
			faults.Add(passFlag, "the project %q has no %s", project, keyFlag)
		}
	}
	if err := faults.Err(); err != nil {
		return nil, err
	}
	logins := map[string]installer.Login{}
	for _, project := range slices.Sorted(maps.Keys(keys)) {
		file := keys[project]
		key, passphrase, err := readIdentity(ctx, fmt.Sprintf("%s of project %s", keyFlag, project), file, passphrases[project])
		if err != nil {
			return nil, err
		}
		for _, secret := range []string{file, passphrases[project]} {
			warnIfReadable(warn, secret)
		}
		logins[project] = installer.Login{PrivateKey: key, Passphrase: passphrase}
	}
	return logins, nil
}
