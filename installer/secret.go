package installer

import (
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
)

const redacted = "[redacted]"

// Secret holds a password, a private key or a passphrase. Every way of printing, logging
// or encoding it shows "[redacted]" instead; Reveal is the only way to the value, so
// `grep Reveal` lists every use. The zero value is the empty secret, "none given".
type Secret struct {
	// A pointer, because fmt's %p does not ask Format: it prints the fields, and of a
	// pointer only the address. Nil: none given.
	value *string
}

func NewSecret(value string) Secret {
	if value == "" {
		return Secret{}
	}
	return Secret{&value}
}

// Reveal returns the value. Never pass it to a log, an error, an argument vector or an
// environment.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

func (s Secret) IsZero() bool { return s.value == nil }

func (s Secret) String() string {
	if s.IsZero() {
		return ""
	}
	return redacted
}

// Format implements fmt.Formatter, so that no verb (%#v, %x, %q, %d …) reaches the field
// behind the type.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText implements encoding.TextMarshaler, which encoding/json uses too.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Login is what proves an identity to one SSH server.
type Login struct {
	Password   Secret `json:"password,omitzero"`    // also answers keyboard-interactive password questions
	PrivateKey Secret `json:"private_key,omitzero"` // PEM text: PKCS#1, PKCS#8, SEC1 or OpenSSH form
	Passphrase Secret `json:"passphrase,omitzero"`  // of PrivateKey, where it is encrypted
}

func (l Login) IsZero() bool { return l.Password.IsZero() && l.PrivateKey.IsZero() }

// Credentials are all that one invocation needs. The target's login and those of the
// jump hosts on the way are apart, and each is shown only to its own server.
type Credentials struct {
	Login
	SudoPassword Secret `json:"sudo_password,omitzero"` // for sudo and doas, empty: the login password; for su root's
	// Via has one Login per hop of Host.Via, in the same order. A zero one is looked
	// up when it is needed: the hop is one of the project's jump hosts.
	Via   []Login   `json:"via,omitzero"`
	Agent AgentKeys `json:"agent_keys,omitzero"`   // reach the host with the agent's settings
	Vars  Vars      `json:"secret_vars,omitempty"` // of a script of one's own
}

// Secrets lists every non-empty secret value, for scrubbing them from output.
func (c Credentials) Secrets() []Secret {
	all := []Secret{c.SudoPassword, c.Agent.AccessKey, c.Agent.SecretKey}
	for _, l := range append([]Login{c.Login}, c.Via...) {
		all = append(all, l.Password, l.PrivateKey, l.Passphrase)
	}
	all = slices.AppendSeq(all, maps.Values(c.Vars))
	return slices.DeleteFunc(all, Secret.IsZero)
}
