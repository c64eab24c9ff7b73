package hostsfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"tripod/installer"
	"tripod/installer/privkey"
)

// keyFiles reads private keys once, however many hosts share one.
type keyFiles struct {
	dir    string
	read   func(string) ([]byte, error)
	texts  map[string]keyText
	checks map[installer.Login]error
}

type keyText struct {
	text installer.Secret
	err  error
}

func newKeyFiles(name string, read func(string) ([]byte, error)) keyFiles {
	if read == nil {
		read = readKeyFile
	}
	return keyFiles{filepath.Dir(name), read, make(map[string]keyText), make(map[installer.Login]error)}
}

// load reads the key at path, or takes a PEM text as it stands. Errors do not quote the
// path: it may be a password in the wrong column.
func (k *keyFiles) load(path string, passphrase installer.Secret) (key installer.Secret, inline bool, err error) {
	got := keyText{text: installer.NewSecret(path)}
	if inline = strings.Contains(path, "-----BEGIN"); !inline {
		var known bool
		if got, known = k.texts[path]; !known {
			got.text, got.err = k.file(path)
			k.texts[path] = got
		}
	}
	if got.err != nil {
		return key, inline, fmt.Errorf("the key file cannot be read: %w", got.err)
	}
	return got.text, inline, k.check(installer.Login{PrivateKey: got.text, Passphrase: passphrase})
}

// check tells whether the key can be used, once for all hosts that share it.
func (k *keyFiles) check(login installer.Login) error {
	err, known := k.checks[login]
	if !known {
		_, err = privkey.Parse(login.PrivateKey, login.Passphrase)
		k.checks[login] = err
	}
	return err
}

func (k *keyFiles) file(path string) (installer.Secret, error) {
	if home, found := strings.CutPrefix(path, "~/"); found {
		dir, err := os.UserHomeDir()
		if err != nil {
			return installer.Secret{}, errors.New("there is no home folder")
		}
		path = filepath.Join(dir, home)
	} else if !filepath.IsAbs(path) {
		path = filepath.Join(k.dir, path)
	}
	text, err := k.read(path)
	if perr, ok := errors.AsType[*fs.PathError](err); ok {
		err = perr.Err
	}
	return installer.NewSecret(string(text)), err
}

// readKeyFile reads no more than a key can have, and no devices.
func readKeyFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("not a regular file")
	case info.Size() > privkey.MaxText:
		return nil, errors.New("too large for a private key")
	}
	return os.ReadFile(path)
}
