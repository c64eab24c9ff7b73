package flags

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/alecthomas/kong"

	"tripod/cmd/tripod/internal/session"
	"tripod/cmd/tripod/internal/term"
	"tripod/installer"
)

// OwnScript is a script of the user's own, and what it is given.
type OwnScript struct {
	Script    string   `type:"path" placeholder:"FILE" help:"Script of your own, run instead of the built-in installation."`
	ScriptArg []string `sep:"none" placeholder:"ARG" help:"Argument for the script; can be repeated. All users of a host can read it there."`
	Env       []string `sep:"none" placeholder:"NAME=VALUE" help:"Environment variable for the script; can be repeated. var.NAME of a host has priority."`
	EnvFile   []string `type:"path" sep:"none" placeholder:"FILE" help:"Environment variables for the script, one NAME=VALUE per line. --env has priority."`
	Send      []string `sep:"none" placeholder:"FILE[:NAME]" help:"File to copy into the working folder of the script (under NAME); can be repeated."`
}

const largestSent = 2 << 30 // bytes; of what the store takes

// Inspect looks into the files and makes spec point to them; faults gets all that is wrong.
func (f *OwnScript) Inspect(spec *installer.Spec, faults *installer.Faults) (files Files) {
	given := len(f.ScriptArg)+len(f.Env)+len(f.EnvFile)+len(f.Send) > 0
	Refuse(faults, f.Script == "" && given, "--script",
		"is missing: --script-arg, --env, --env-file and --send are for a script of your own")
	if f.Script == "" {
		return nil
	}
	add := func(flag, path string, inspect func(string) (contentFile, error)) (ref installer.BlobRef, ok bool) {
		file, err := inspect(path)
		if err != nil {
			faults.Add(flag+" "+path, "%v", err)
			return ref, false
		}
		files = append(files, file)
		return file.ref, true
	}
	script, ok := add("--script", f.Script, inspectScript)
	if !ok { // what else is wrong is told too, but not that there is no script
		script = installer.BlobRef{SHA256: strings.Repeat("0", 64), Name: "script"}
	}
	spec.Script, spec.ScriptArgs = &script, f.ScriptArg
	for _, sent := range f.Send {
		if ref, ok := add("--send", sent, inspectSent); ok {
			spec.Send = append(spec.Send, ref)
		}
	}
	spec.Env = f.variables(faults)
	return files
}

// inspectScript finds what is wrong with a script, and what may be.
func inspectScript(path string) (file contentFile, err error) {
	const largest = 8 << 20 // more than that is a package
	file.path = path
	file.ref, err = hashed(path, func(r io.Reader) error {
		text, err := io.ReadAll(io.LimitReader(r, largest+1))
		switch {
		case err != nil:
		case len(text) == 0:
			err = errors.New("it is empty")
		case len(text) > largest:
			err = fmt.Errorf("it is longer than %d MiB", largest>>20)
		default:
			file.warning, err = lookAtScript(text, path)
		}
		return err
	})
	if file.warning != "" {
		file.warning = "--script " + path + ": " + file.warning
	}
	return file, err
}

// lookAtScript tells why a script cannot run on Linux as it is, or may run in another way than was meant. A
// program is none, and what follows a NUL character is no text, as in an archive that unpacks itself.
func lookAtScript(text []byte, path string) (warning string, err error) {
	if bytes.HasPrefix(text, []byte("\x7fELF")) {
		return "", nil
	}
	quoted := session.ShellQuote(path)
	const windows = "line ends in CR LF (Windows line ending), and the host reads the CR as part of the line"
	mend := "convert the file: sed -i 's/\\r$//' " + quoted
	switch first, _, _ := bytes.Cut(text, []byte("\n")); {
	case bytes.HasPrefix(text, []byte("\xef\xbb\xbf")):
		return "", fmt.Errorf(`begins with a byte order mark, so the host cannot read its first line: sed -i '1s/^\xef\xbb\xbf//' %s`, quoted)
	case bytes.HasPrefix(text, []byte("\xff\xfe")), bytes.HasPrefix(text, []byte("\xfe\xff")):
		return "", errors.New("is in UTF-16: save it as UTF-8")
	case bytes.HasSuffix(first, []byte("\r")):
		return "", fmt.Errorf("its first %s: %s", windows, mend)
	}
	text, _, _ = bytes.Cut(text, []byte{0})
	var warnings []string
	if !bytes.HasPrefix(text, []byte("#!")) {
		warnings = append(warnings, "it has no interpreter line (such as #!/bin/bash), so the host's sh runs it")
	}
	if before, _, found := bytes.Cut(text, []byte("\r\n")); found {
		warnings = append(warnings, fmt.Sprintf("its %d. %s: %s", 1+bytes.Count(before, []byte("\n")), windows, mend))
	}
	return strings.Join(warnings, "; "), nil
}

// inspectSent looks at FILE or FILE:NAME. A file whose own name has a colon is found as it is.
func inspectSent(text string) (file contentFile, err error) {
	file.path = kong.ExpandPath(text)
	name := filepath.Base(text)
	info, err := os.Stat(file.path)
	if colon := strings.LastIndexByte(text, ':'); err != nil && colon > 0 {
		file.path, name = kong.ExpandPath(text[:colon]), text[colon+1:]
		info, err = os.Stat(file.path)
	}
	switch {
	case err != nil:
		return file, err
	case !info.Mode().IsRegular():
		return file, errors.New("is not a file: pack a folder with tar, and unpack it in the script")
	case info.Size() > largestSent:
		return file, fmt.Errorf("is larger than %d GiB", largestSent>>30)
	}
	file.ref, err = hashed(file.path, func(io.Reader) error { return nil })
	if what := installer.FileNameFault(name); err == nil && what != "" {
		err = errors.New(what)
	}
	file.ref.Name = name
	return file, err
}

// variables are those of the files, in their order, and then of --env.
func (f *OwnScript) variables(faults *installer.Faults) map[string]string {
	all := map[string]string{}
	for _, path := range f.EnvFile {
		readVariables("--env-file", path, all, faults)
	}
	given := map[string]string{}
	for _, text := range f.Env {
		addVariable("--env", text, given, faults)
	}
	maps.Copy(all, given)
	return all
}

// SecretVars are those of the files, in their order.
func (f *Spec) SecretVars(s *session.Session, faults *installer.Faults) installer.Vars {
	all := map[string]string{}
	for _, path := range f.SecretEnvFile {
		readVariables("--secret-env-file", path, all, faults)
		warnIfReadable(s.Notef, path)
	}
	return installer.SecretVars(all)
}

// readVariables reads lines of NAME=VALUE; the value is all that follows, as it is. Blank lines
// and comments are left out.
func readVariables(flag, path string, all map[string]string, faults *installer.Faults) {
	text, err := term.SecretFile(path)
	if err != nil {
		faults.Add(flag, "%v", err)
		return
	}
	own := map[string]string{}
	n := 0
	for line := range strings.Lines(strings.TrimPrefix(text.Reveal(), "\ufeff")) {
		n++
		line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
		if strings.TrimSpace(line) != "" && !strings.HasPrefix(line, "#") {
			addVariable(fmt.Sprintf("%s %s:%d", flag, path, n), line, own, faults)
		}
	}
	maps.Copy(all, own)
}

// addVariable reads NAME=VALUE. Faults do not quote it: it may be a secret.
func addVariable(where, text string, all map[string]string, faults *installer.Faults) {
	name, value, ok := strings.Cut(text, "=")
	if !ok {
		faults.Add(where, "want NAME=VALUE")
		return
	}
	what := installer.VarFault(name, value)
	if _, twice := all[name]; twice {
		what = name + " is given twice"
	}
	if what != "" {
		faults.Add(where, "%s", what)
		return
	}
	all[name] = value
}
