package access

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"fmt"
	"strings"

	"tripod/installer"
	"tripod/store/disk"
	"tripod/store/kv"
)

// accessKeyPrefix makes an access key that was leaked somewhere easy to
// recognise.
const accessKeyPrefix = "TPD"

// accessKeyLength of a whole access key, which is no secret.
const accessKeyLength = 20

// storedKey is a row. The secret key must come back to check signatures, so it
// is sealed, not hashed.
type storedKey struct {
	installer.KeyInfo
	Secret []byte `json:"secret"`
}

// keyPlace is what a sealed secret key is bound to: nobody who can write to
// the database gives it to another project, or more rights.
func keyPlace(k installer.KeyInfo) []byte {
	return kv.Join("tripod/1 key", k.Project, k.Name, k.AccessKey, string(k.Rights))
}

// AddKey makes an access key with which name may act for the project. Its
// secret key is told once. installer.ErrExists if the project has one of this name.
func (a *Access) AddKey(ctx context.Context, project, name string, rights installer.Rights) (installer.KeyPair, error) {
	if err := checkGrant("key", project, name, rights); err != nil {
		return installer.KeyPair{}, err
	}
	var random [11 + 30]byte
	_, _ = rand.Read(random[:]) // never fails
	now := a.clock()
	info := installer.KeyInfo{Project: project, Name: name, Rights: rights, Created: now}
	info.AccessKey = (accessKeyPrefix + base32.StdEncoding.EncodeToString(random[:11]))[:accessKeyLength]
	secret := base64.RawURLEncoding.EncodeToString(random[11:])
	sealed, err := a.vault.SealWithMaster(keyPlace(info), []byte(secret))
	if err != nil {
		return installer.KeyPair{}, err
	}
	err = a.db.Update(ctx, func(t *kv.Tx) error {
		byName := kv.Join(project, name)
		if t.Get(tKeyNames, byName) != nil {
			return fmt.Errorf("key %q of project %s: %w", name, project, installer.ErrExists)
		}
		if t.Get(tKeys, []byte(info.AccessKey)) != nil {
			return fmt.Errorf("access key: %w; try again", installer.ErrExists)
		}
		t.Put(tKeyNames, byName, []byte(info.AccessKey))
		t.PutRow(tKeys, []byte(info.AccessKey), 0, storedKey{info, sealed})
		return a.note(ctx, t, now, installer.AuditEntry{Project: project, Action: installer.AuditKeyAdd, Subject: name, Detail: "rights " + string(rights) + ", access key " + info.AccessKey})
	})
	if err != nil {
		return installer.KeyPair{}, err
	}
	return installer.KeyPair{AccessKey: info.AccessKey, SecretKey: installer.NewSecret(secret)}, nil
}

// decoyKey is the row that is opened where there is none, so that it takes as long
// to find no key as to find one.
func (a *Access) decoyKey() ([]byte, error) {
	info := installer.KeyInfo{
		Project: installer.DefaultProject, Name: "none", Rights: installer.FullRights,
		AccessKey: strings.Repeat("0", accessKeyLength), Created: a.clock(),
	}
	sealed, err := a.vault.SealWithMaster(keyPlace(info), []byte(rand.Text()+rand.Text()))
	if err != nil {
		return nil, err
	}
	row, err := kv.NewRow(storedKey{info, sealed})
	if err != nil {
		return nil, err
	}
	return kv.SealRow(row, 0), nil
}

// Key tells whose an access key is, and its secret key. ErrNotFound if it is
// not known.
func (a *Access) Key(ctx context.Context, accessKey string) (who installer.Principal, secret installer.Secret, err error) {
	var stored storedKey
	known := true
	err = a.db.View(ctx, func(t *kv.Tx) error {
		row := t.Get(tKeys, []byte(accessKey))
		if row == nil {
			row, known = a.noKey, false
		}
		_, err := kv.ReadRow(row, &stored)
		return err
	})
	if err != nil {
		return who, secret, err
	}
	plain, err := a.vault.OpenWithMaster(keyPlace(stored.KeyInfo), stored.Secret)
	if err != nil {
		return who, secret, disk.Error("opening the secret key of access key "+accessKey, err)
	}
	defer clear(plain)
	if !known {
		return who, secret, kv.NotFound("access key", accessKey)
	}
	who = installer.Principal{Project: stored.Project, Kind: installer.KeyPrincipal, Name: stored.Name, Rights: stored.Rights}
	return who, installer.NewSecret(string(plain)), nil
}

// Keys lists the access keys of a project, or of all if it is empty, by
// project and name.
func (a *Access) Keys(ctx context.Context, project string) ([]installer.KeyInfo, error) {
	var infos []installer.KeyInfo
	err := a.db.View(ctx, func(t *kv.Tx) error {
		infos = nil
		for _, key := range t.All(tKeyNames, ofProject(project)) {
			var stored storedKey
			if _, err := kv.ReadRow(t.Get(tKeys, key), &stored); err != nil {
				return err
			}
			infos = append(infos, stored.KeyInfo)
		}
		return nil
	})
	return infos, err
}

// RemoveKey ends an access key. ErrNotFound if there is none of this name.
func (a *Access) RemoveKey(ctx context.Context, project, name string) error {
	now := a.clock()
	return a.db.Update(ctx, func(t *kv.Tx) error {
		byName := kv.Join(project, name)
		key := bytes.Clone(t.Get(tKeyNames, byName))
		if key == nil {
			return kv.NotFound("key", name)
		}
		t.Del(tKeyNames, byName)
		t.Del(tKeys, key)
		return a.note(ctx, t, now, installer.AuditEntry{Project: project, Action: installer.AuditKeyRemove, Subject: name, Detail: "access key " + string(key)})
	})
}
