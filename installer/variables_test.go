package installer

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestVariables(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"A", "_a1", "http_proxy", "tripod_x", strings.Repeat("x", 64)} {
		require.Empty(t, VarFault(name, " '\"$\\\t\r\n é "), name)
	}
	for _, name := range []string{"", "1A", "A-B", "A B", "é", "A\n", strings.Repeat("x", 65), "TRIPOD_HOST_ID", "UID", "PPID"} {
		require.NotEmpty(t, VarFault(name, ""), name)
	}
	require.Equal(t, "holds a NUL character", VarFault("A", "CANARY\x00"))
	require.Equal(t, "is not UTF-8", VarFault("A", "CANARY\xff"))
	for _, name := range []string{"a", ".env", "tool-1.2_x+@=.deb"} {
		require.Empty(t, FileNameFault(name), name)
	}
	for _, name := range []string{"", ".", "..", "a/b", "-x", "a b", "a,b", "a:b", "é", "script", strings.Repeat("x", 101)} {
		require.NotEmpty(t, FileNameFault(name), name)
	}
}

func TestWhatAScriptIsGivenIsBounded(t *testing.T) {
	t.Parallel()
	many := map[string]string{}
	for i := range MaxVars + 1 {
		many[fmt.Sprint("V", i)] = ""
	}
	long := strings.Repeat("'", maxGiven/4+1) // quoted, a quote is four bytes
	script := BlobRef{SHA256: strings.Repeat("0", 64), Name: "s"}
	for what, change := range map[string]func(*Spec){
		"env: are more than 64":          func(s *Spec) { s.Env = many },
		"env: have more than 24 KiB":     func(s *Spec) { s.Env, s.ScriptArgs = map[string]string{"A": long[1:]}, []string{"x"} },
		"script_args: are more than 64":  func(s *Spec) { s.ScriptArgs = make([]string, 65) },
		"script_args: holds a NUL":       func(s *Spec) { s.ScriptArgs = []string{"\x00"} },
		"send: two files have one name":  func(s *Spec) { s.Send = []BlobRef{script, script} },
		"send: the name on the host has": func(s *Spec) { s.Send = []BlobRef{{SHA256: script.SHA256, Name: "a b"}} },
		"send: are more than 32 files":   func(s *Spec) { s.Send = make([]BlobRef, 33) },
		"script: is missing":             func(s *Spec) { s.Script, s.ScriptArgs = nil, []string{"x"} },
	} {
		s := Spec{Target: "t", HostKeys: Strict, Script: &script, Env: map[string]string{"A": "b"}, ScriptArgs: []string{""}}
		require.Empty(t, s.Validate(Within("spec")))
		change(&s)
		require.ErrorContains(t, s.Validate(Within("spec")), "spec."+what)
	}
	h := Host{ID: "i", Endpoint: Endpoint{Address: "h", Port: 22, User: "root"}, Vars: map[string]string{"A": long}}
	require.ErrorContains(t, h.Validate(Within("host")), "host.vars: have more than 24 KiB")
	secret := Vars{"A": NewSecret("CANARY" + long), "1": NewSecret("CANARY")}.Validate(Within("x"))
	require.ErrorContains(t, secret, "x.secret_vars: have more than 24 KiB")
	require.ErrorContains(t, secret, "x.secret_vars: a variable's name")
	require.NotContains(t, secret.Error(), "CANARY")
}

func TestSecretVars(t *testing.T) {
	t.Parallel()
	own, all := SecretVars(map[string]string{"A": "own", "B": "own", "EMPTY": ""}), SecretVars(map[string]string{"B": "all", "C": "all"})
	require.Len(t, own, 2)
	require.Nil(t, SecretVars(map[string]string{"EMPTY": ""}))
	require.Equal(t, Vars{"A": own["A"], "B": own["B"], "C": all["C"]}, own.Over(all))
	require.Len(t, all, 2, "unchanged")
	require.Equal(t, own, own.Over(nil))
	require.Equal(t, all, Vars(nil).Over(all))
	require.Len(t, Credentials{Vars: own}.Secrets(), 2, "for the scrubber")
}
