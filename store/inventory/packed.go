package inventory

import (
	"encoding/binary"
	"errors"

	"tripod/installer"
)

// padding hides how long a password is, up to 64 bytes.
const padding = 64

func packCredentials(c installer.Credentials) []byte {
	values := []installer.Secret{c.Password, c.PrivateKey, c.Passphrase, c.SudoPassword}
	for _, l := range c.Via {
		values = append(values, l.Password, l.PrivateKey, l.Passphrase)
	}
	values = append(values, c.Agent.AccessKey, c.Agent.SecretKey)
	packed := binary.AppendUvarint(nil, uint64(len(c.Via)))
	add := func(text string) {
		packed = binary.AppendUvarint(packed, uint64(len(text)))
		packed = append(packed, text...)
	}
	for _, v := range values {
		add(v.Reveal())
	}
	packed = binary.AppendUvarint(packed, uint64(len(c.Vars)))
	for name, value := range c.Vars {
		add(name)
		add(value.Reveal())
	}
	return append(packed, make([]byte, (padding-len(packed)%padding)%padding)...)
}

func unpackCredentials(packed []byte) (c installer.Credentials, err error) {
	ok := true
	number := func() (n uint64) {
		var used int
		n, used = binary.Uvarint(packed)
		if ok = ok && used > 0 && n <= uint64(len(packed)-used); !ok {
			return 0
		}
		packed = packed[used:]
		return n
	}
	secret := func() installer.Secret {
		n := number()
		s := installer.NewSecret(string(packed[:n]))
		packed = packed[n:]
		return s
	}
	login := func() installer.Login {
		return installer.Login{Password: secret(), PrivateKey: secret(), Passphrase: secret()}
	}
	hops := number()
	c.Login, c.SudoPassword = login(), secret()
	for ; ok && hops > 0; hops-- {
		c.Via = append(c.Via, login())
	}
	if ok && len(packed) > 1 { // what was sealed before agents got keys may end here, or have nothing but padding
		c.Agent = installer.AgentKeys{AccessKey: secret(), SecretKey: secret()}
	}
	if ok && len(packed) > 0 { // the same before scripts got variables
		for n := number(); ok && n > 0; n-- {
			if c.Vars == nil {
				c.Vars = installer.Vars{}
			}
			name := secret().Reveal()
			c.Vars[name] = secret()
		}
	}
	if !ok {
		return installer.Credentials{}, errors.New("sealed credentials: bad length")
	}
	return c, nil
}
