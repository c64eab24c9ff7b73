package inventory

import (
	"encoding/binary"
	"fmt"

	"tripod/installer"
)

// padding hides how long a password is, up to 64 bytes.
const padding = 64

// packCredentials encodes them byte for byte, with lengths.
func packCredentials(c installer.Credentials) []byte {
	values := []installer.Secret{c.Password, c.PrivateKey, c.Passphrase, c.SudoPassword}
	for _, l := range c.Via {
		values = append(values, l.Password, l.PrivateKey, l.Passphrase)
	}
	packed := binary.AppendUvarint(nil, uint64(len(c.Via)))
	for _, v := range values {
		packed = binary.AppendUvarint(packed, uint64(len(v.Reveal())))
		packed = append(packed, v.Reveal()...)
	}
	return append(packed, make([]byte, (padding-len(packed)%padding)%padding)...)
}

func unpackCredentials(packed []byte) (c installer.Credentials, err error) {
	defer func() {
		if err != nil {
			c = installer.Credentials{}
		}
	}()
	number := func() uint64 {
		n, used := binary.Uvarint(packed)
		if used <= 0 || n > uint64(len(packed)) {
			err = fmt.Errorf("sealed credentials: bad length")
			return 0
		}
		packed = packed[used:]
		return n
	}
	secret := func() installer.Secret {
		n := number()
		if err != nil || n > uint64(len(packed)) {
			err = fmt.Errorf("sealed credentials: cut short")
			return installer.Secret{}
		}
		s := installer.NewSecret(string(packed[:n]))
		packed = packed[n:]
		return s
	}
	login := func() installer.Login {
		return installer.Login{Password: secret(), PrivateKey: secret(), Passphrase: secret()}
	}

	hops := number()
	c.Login = login()
	c.SudoPassword = secret()
	for range hops {
		if err != nil {
			return c, err
		}
		c.Via = append(c.Via, login())
	}
	return c, err
}
