package installer

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"tripod/installer/lazyregexp"
)

// Bounds of what a script of one's own is given.
const (
	MaxVars  = 64 // variables of a spec or a host; its secret ones are counted apart
	maxArgs  = 64
	maxFiles = 32 // sent beside the script
	// maxGiven bounds arguments and variables, quoted for the shell: of a spec, its secret ones, those of a host,
	// its secret ones. Together they are one string of an environment, which may have 128 KiB.
	maxGiven = 24 << 10 // bytes
)

// ownVars is the beginning of the variables that Tripod itself gives to a script.
const ownVars = "TRIPOD_"

var (
	varForm  = lazyregexp.New(`^[A-Za-z_][A-Za-z0-9_]{0,63}$`)
	fileForm = lazyregexp.New(`^[A-Za-z0-9_.][A-Za-z0-9_.@+=-]{0,99}$`)
)

// shellVars cannot be set, or not to any text, in one of the shells that hand variables on.
var shellVars = []string{
	"_", "BASHOPTS", "BASH_VERSINFO", "DIRSTACK", "EUID", "FUNCNAME", "GROUPS", "LINENO", "OPTIND", "PPID", "RANDOM", "SECONDS", "SHELLOPTS", "UID",
}

// VarFault says what is wrong with a variable of a script, or "". It does not quote the value.
func VarFault(name, value string) string {
	switch {
	case !varForm.MatchString(name):
		return "a variable's name has 1 to 64 letters, digits and '_', and does not begin with a digit"
	case strings.HasPrefix(name, ownVars):
		return "variables that begin with " + ownVars + " are Tripod's own"
	case slices.Contains(shellVars, name):
		return "the variable " + name + " is the shell's own"
	}
	return givenFault(value)
}

func givenFault(text string) string {
	switch {
	case !utf8.ValidString(text):
		return "is not UTF-8"
	case strings.Contains(text, "\x00"):
		return "holds a NUL character"
	}
	return ""
}

// FileNameFault says what is wrong with the name of a file beside a script, or "".
func FileNameFault(name string) string {
	switch {
	case !fileForm.MatchString(name) || name == "." || name == "..":
		return "the name on the host has 1 to 100 of A-Z a-z 0-9 _ . @ + = -, and no folder: give another one with FILE:NAME"
	case name == "script":
		return "the script itself is called script on the host: give another name with FILE:NAME"
	}
	return ""
}

// quoted is how many bytes a text has as a word for the shell.
func quoted(text string) int { return len(text) + 3*strings.Count(text, "'") }

// vars checks variables, of which size is taken already.
func (v *validation) vars(field string, all map[string]string, size int) {
	v.want(field, len(all) <= MaxVars, fmt.Sprintf("are more than %d variables", MaxVars))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		v.add(field, VarFault(name, all[name]))
		size += len(name) + quoted(all[name])
	}
	v.want(field, size <= maxGiven, fmt.Sprintf("have more than %d KiB together: send a file beside the script", maxGiven>>10))
}

// script checks what the user's script is given.
func (v *validation) script(s *Spec) {
	given := len(s.ScriptArgs)+len(s.Env)+len(s.Send) > 0
	v.want("script", s.Script != nil || !given, "is missing: arguments, variables and files are given to a script of your own")
	v.want("script_args", len(s.ScriptArgs) <= maxArgs, fmt.Sprintf("are more than %d", maxArgs))
	size := 0
	for _, arg := range s.ScriptArgs {
		v.add("script_args", givenFault(arg))
		size += quoted(arg)
	}
	v.vars("env", s.Env, size)
	v.want("send", len(s.Send) <= maxFiles, fmt.Sprintf("are more than %d files", maxFiles))
	first := map[string]bool{}
	for _, ref := range s.Send {
		v.add("send", FileNameFault(ref.Name))
		v.want("send", !first[ref.Name], "two files have one name on the host")
		first[ref.Name] = true
	}
}

// DropScript drops the user's script and what it gets.
func (s *Spec) DropScript() { s.Script, s.ScriptArgs, s.Env, s.Send = nil, nil, nil, nil }

// Vars are a script's secret variables on one host.
type Vars map[string]Secret

// SecretVars are those that are not empty; nil: none is.
func SecretVars(all map[string]string) (vars Vars) {
	for name, value := range all {
		if value == "" {
			continue
		}
		if vars == nil {
			vars = Vars{}
		}
		vars[name] = NewSecret(value)
	}
	return vars
}

// Validate tells all that is wrong with them, and no value.
func (c Vars) Validate(at At) Faults {
	v := validation{at: at}
	plain := make(map[string]string, len(c))
	for name, value := range c {
		plain[name] = value.Reveal()
	}
	v.vars("secret_vars", plain, 0)
	return v.Faults
}

// Over is lower with c in the place of what has the same name.
func (c Vars) Over(lower Vars) Vars {
	all := maps.Clone(lower)
	if all == nil {
		return c
	}
	maps.Copy(all, c)
	return all
}
