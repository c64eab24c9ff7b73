package control

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"tripod/installer"
	"tripod/installer/privkey"
)

// wireBatch is a Submission as JSON. Only the client encodes it. Many hosts
// share their spec and their logins: each is sent once, and named by its index.
type wireBatch struct {
	BatchID     string           `json:"batch_id"`
	Fingerprint string           `json:"fingerprint,omitempty"`
	Source      string           `json:"source"`
	MaxFailures int              `json:"max_failures,omitempty"`
	Specs       []installer.Spec `json:"specs,omitempty"`
	Logins      []wireLogin      `json:"logins,omitempty"`
	Items       []wireItem       `json:"items,omitempty"`
}

// content is a hash of the batch without its logins: nobody is to try passwords
// on what is stored of it.
func (w wireBatch) content() (string, error) {
	h := sha256.New()
	enc := json.NewEncoder(h) // an item a time: there is no second copy of a large batch
	head := w
	head.Logins, head.Items = nil, nil
	err := enc.Encode(head)
	for i := 0; err == nil && i < len(w.Items); i++ {
		err = enc.Encode(&w.Items[i])
	}
	return hex.EncodeToString(h.Sum(nil)), err
}

type wireItem struct {
	ID      string         `json:"invocation_id"`
	Type    installer.Type `json:"type"`
	Host    installer.Host `json:"host"`
	Spec    int            `json:"spec"`
	RunID   string         `json:"run_id,omitempty"`
	Of      string         `json:"of,omitempty"`
	Inherit string         `json:"inherit,omitempty"`
	wireCredentials
}

// wireCredentials are indexes into the logins; nil: none.
type wireCredentials struct {
	Login *int  `json:"login,omitempty"`
	Sudo  *int  `json:"sudo,omitempty"` // its password
	Via   []int `json:"via,omitempty"`
}

type wireLogin struct {
	Password   string `json:"password,omitempty"`
	PrivateKey string `json:"private_key,omitempty"`
	Passphrase string `json:"passphrase,omitempty"`
}

// wireRefresh is new credentials, by invocation.
type wireRefresh struct {
	Logins       []wireLogin                `json:"logins,omitempty"`
	ByInvocation map[string]wireCredentials `json:"credentials,omitempty"`
}

// packer collects logins, each once.
type packer struct {
	logins []wireLogin
	at     map[wireLogin]int
}

func (p *packer) login(l installer.Login) int {
	w := wireLogin{l.Password.Reveal(), l.PrivateKey.Reveal(), l.Passphrase.Reveal()}
	if i, ok := p.at[w]; ok {
		return i
	}
	if p.at == nil {
		p.at = map[wireLogin]int{}
	}
	p.logins = append(p.logins, w)
	p.at[w] = len(p.logins) - 1
	return len(p.logins) - 1
}

func (p *packer) credentials(c installer.Credentials) (w wireCredentials) {
	if c.Login != (installer.Login{}) {
		w.Login = new(p.login(c.Login))
	}
	if !c.SudoPassword.IsZero() {
		w.Sudo = new(p.login(installer.Login{Password: c.SudoPassword}))
	}
	for _, l := range c.Via {
		w.Via = append(w.Via, p.login(l))
	}
	return w
}

// unpacker is the other direction. It shares one Secret among all that have it.
type unpacker struct {
	logins []installer.Login
	faults installer.Faults
}

func newUnpacker(wire []wireLogin) *unpacker {
	u := &unpacker{logins: make([]installer.Login, len(wire))}
	for i, w := range wire {
		u.lengths(i, w)
		u.logins[i] = installer.Login{
			Password:   installer.NewSecret(w.Password),
			PrivateKey: installer.NewSecret(w.PrivateKey),
			Passphrase: installer.NewSecret(w.Passphrase),
		}
	}
	return u
}

// lengths: a login is held to what one of a hosts file is. Whether a key is one
// is seen when it is used: to open a key can cost a second.
func (u *unpacker) lengths(i int, w wireLogin) {
	if utf8.RuneCountInString(w.Password) > installer.MaxPassword {
		u.faults.Add(fmt.Sprintf("logins[%d].password", i), "must have at most %d characters", installer.MaxPassword)
	}
	if utf8.RuneCountInString(w.Passphrase) > installer.MaxPassword {
		u.faults.Add(fmt.Sprintf("logins[%d].passphrase", i), "must have at most %d characters", installer.MaxPassword)
	}
	if len(w.PrivateKey) > privkey.MaxText {
		u.faults.Add(fmt.Sprintf("logins[%d].private_key", i), "must have at most %d bytes", privkey.MaxText)
	}
}

func (u *unpacker) login(where string, i int) installer.Login {
	if i < 0 || i >= len(u.logins) {
		u.faults.Add(where, "is no index of logins")
		return installer.Login{}
	}
	return u.logins[i]
}

func (u *unpacker) credentials(where string, w wireCredentials) (c installer.Credentials) {
	if w.Login != nil {
		c.Login = u.login(where+".login", *w.Login)
	}
	if w.Sudo != nil {
		c.SudoPassword = u.login(where+".sudo", *w.Sudo).Password
	}
	for i, n := range w.Via {
		c.Via = append(c.Via, u.login(fmt.Sprintf("%s.via[%d]", where, i), n))
	}
	return c
}

// wire packs the submission. Specs are few: those of one command line.
func (s Submission) wire() wireBatch {
	w := wireBatch{BatchID: s.ID, Fingerprint: s.Fingerprint, Source: s.Source, MaxFailures: s.MaxFailures}
	specs := map[string]int{}
	var p packer
	for i := range s.Items {
		inv := &s.Items[i].Invocation
		raw, _ := json.Marshal(inv.Spec) // a name for it; it can always be encoded
		n, known := specs[string(raw)]
		if !known {
			n = len(w.Specs)
			specs[string(raw)] = n
			w.Specs = append(w.Specs, inv.Spec)
		}
		w.Items = append(w.Items, wireItem{
			ID: inv.ID, Type: inv.Type, Host: inv.Host, Spec: n, RunID: inv.RunID, Of: inv.Of,
			Inherit: s.Inherit[inv.ID], wireCredentials: p.credentials(s.Items[i].Credentials),
		})
	}
	w.Logins = p.logins
	return w
}
