// Package access keeps what authenticates clients of the daemon: tokens, access keys,
// and the request signatures that have been seen.
package access

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/base64"
	"fmt"
	"strings"

	"tripod/installer"
	"tripod/installer/lazyregexp"
	"tripod/store/disk"
	"tripod/store/kv"
	"tripod/store/vault"
)

var (
	tTokens     = kv.Table{Name: "tokens", Rows: true} // first bytes of the hash → token
	tTokenNames = kv.Table{Name: "names"}              // project, name → key of the token
	tKeys       = kv.Table{Name: "keys", Rows: true}   // access key → key, its secret key sealed
	tKeyNames   = kv.Table{Name: "keynames"}           // project, name → access key
	tSeen       = kv.Table{Name: "seen"}               // time, signature → project/access key
)

// Tables are those of this room.
var Tables = []kv.Table{tTokens, tTokenNames, tKeys, tKeyNames, tSeen}

// Access is the room. Its methods can be called from many goroutines.
type Access struct {
	kv.Room
	vault      *vault.Vault
	signatures signatures
	noKey      []byte // see decoyKey
}

// New returns what is kept in a database, with the signatures that still count.
func New(ctx context.Context, room kv.Room, v *vault.Vault) (*Access, error) {
	a := &Access{Room: room, vault: v}
	var err error
	if a.noKey, err = a.decoyKey(); err != nil || room.DB.ReadOnly() {
		return a, err
	}
	return a, room.DB.View(ctx, a.loadSignatures)
}

// Close stores what waits to be stored.
func (a *Access) Close() {
	a.signatures.close()
	a.flushSignatures()
}

// grantKind is one of the two things by which somebody may act for a project.
type grantKind struct {
	what           string
	rows, names    kv.Table
	added, removed installer.Action
	id             string // what the key of a row is called in the audit log; empty: it is not told
}

var (
	tokens = grantKind{"token", tTokens, tTokenNames, installer.AuditTokenAdd, installer.AuditTokenRemove, ""}
	keys   = grantKind{"key", tKeys, tKeyNames, installer.AuditKeyAdd, installer.AuditKeyRemove, "access key "}
)

var nameForm = lazyregexp.New(`^[A-Za-z0-9][A-Za-z0-9_.@-]{0,63}$`)

func (k grantKind) check(info installer.TokenInfo) error {
	switch err := kv.CheckProject(info.Project); {
	case err != nil:
		return err
	case !nameForm.MatchString(info.Name):
		return fmt.Errorf("%s name %q: want 1–64 letters, digits or '_.@-', the first a letter or digit", k.what, info.Name)
	case !info.Rights.Known():
		return fmt.Errorf("%s rights %q: want %s or %s", k.what, info.Rights, installer.FullRights, installer.ReadRights)
	}
	return nil
}

func (a *Access) add(ctx context.Context, k grantKind, info installer.TokenInfo, id []byte, row any) error {
	if err := k.check(info); err != nil {
		return err
	}
	return a.DB.Update(ctx, func(t *kv.Tx) error {
		byName := kv.Join(info.Project, info.Name)
		if t.Get(k.names, byName) != nil {
			return fmt.Errorf("%s %q of project %s: %w", k.what, info.Name, info.Project, installer.ErrExists)
		}
		if t.Get(k.rows, id) != nil {
			return fmt.Errorf("two %ss with one beginning; try again", k.what)
		}
		t.Put(k.names, byName, id)
		t.PutRow(k.rows, id, 0, row)
		detail := "rights " + string(info.Rights)
		if k.id != "" {
			detail += ", " + k.id + string(id)
		}
		return a.Note(ctx, t, info.Created, installer.AuditEntry{
			Project: info.Project, Action: k.added, Subject: info.Name, Detail: detail,
		})
	})
}

func (a *Access) remove(ctx context.Context, k grantKind, project, name string) error {
	now := a.Clock()
	return a.DB.Update(ctx, func(t *kv.Tx) error {
		byName := kv.Join(project, name)
		id := bytes.Clone(t.Get(k.names, byName))
		if id == nil {
			return kv.NotFound(k.what, name)
		}
		t.Del(k.names, byName)
		t.Del(k.rows, id)
		detail := ""
		if k.id != "" {
			detail = k.id + string(id)
		}
		return a.Note(ctx, t, now, installer.AuditEntry{Project: project, Action: k.removed, Subject: name, Detail: detail})
	})
}

func list[Info any](ctx context.Context, a *Access, k grantKind, project string) ([]Info, error) {
	return kv.Read(ctx, a.DB, func(t *kv.Tx) (infos []Info, err error) {
		var prefix []byte
		if project != "" {
			prefix = kv.Join(project)
		}
		for _, id := range t.All(k.names, prefix) {
			infos = append(infos, *kv.GetRow[Info](t, k.rows, id))
		}
		return infos, nil
	})
}

// tokenPrefix makes a token that was leaked somewhere easy to recognise.
const tokenPrefix = "tpd_"

// tokenLength of a whole token: the prefix and 32 random bytes in base64url.
const tokenLength = len(tokenPrefix) + 43

type storedToken struct {
	installer.TokenInfo
	Hash []byte `json:"hash"` // SHA-256
}

// tokenKey finds a token by a part of its hash; the whole is compared in
// constant time.
func tokenKey(hash []byte) []byte { return hash[:8] }

// AddToken makes a token with which name may act for the project, and returns it once:
// only its hash is stored. installer.ErrExists if the project has one of this name.
func (a *Access) AddToken(ctx context.Context, project, name string, rights installer.Rights) (string, error) {
	var random [32]byte
	_, _ = rand.Read(random[:]) // never fails
	token := tokenPrefix + base64.RawURLEncoding.EncodeToString(random[:])
	hash := sha256.Sum256([]byte(token))
	info := installer.TokenInfo{Project: project, Name: name, Rights: rights, Created: a.Clock()}
	if err := a.add(ctx, tokens, info, tokenKey(hash[:]), storedToken{info, hash[:]}); err != nil {
		return "", err
	}
	return token, nil
}

// errTokenUnknown does not say which token: its text may get into a log.
var errTokenUnknown = fmt.Errorf("token: %w", installer.ErrNotFound)

// CheckToken tells who comes with a token. ErrNotFound if it is not known.
func (a *Access) CheckToken(ctx context.Context, token string) (installer.Principal, error) {
	if len(token) != tokenLength || !strings.HasPrefix(token, tokenPrefix) {
		return installer.Principal{}, errTokenUnknown
	}
	hash := sha256.Sum256([]byte(token))
	return kv.Read(ctx, a.DB, func(t *kv.Tx) (installer.Principal, error) {
		stored := kv.GetRow[storedToken](t, tTokens, tokenKey(hash[:]))
		if stored == nil || subtle.ConstantTimeCompare(stored.Hash, hash[:]) != 1 {
			return installer.Principal{}, errTokenUnknown
		}
		return stored.Principal(installer.TokenPrincipal), nil
	})
}

// Tokens lists the tokens of a project, or of all if it is empty, by project
// and name.
func (a *Access) Tokens(ctx context.Context, project string) ([]installer.TokenInfo, error) {
	return list[installer.TokenInfo](ctx, a, tokens, project)
}

// RemoveToken ends a token. ErrNotFound if there is none of this name.
func (a *Access) RemoveToken(ctx context.Context, project, name string) error {
	return a.remove(ctx, tokens, project, name)
}

const (
	// accessKeyPrefix makes an access key that was leaked somewhere easy to recognise.
	accessKeyPrefix = "TPD"
	accessKeyLength = 20
)

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

func (a *Access) sealKey(info installer.KeyInfo, secret string) storedKey {
	return storedKey{info, a.vault.SealWithMaster(keyPlace(info), []byte(secret))}
}

// AddKey makes an access key with which name may act for the project. Its
// secret key is shown once. installer.ErrExists if the project has one of this name.
func (a *Access) AddKey(ctx context.Context, project, name string, rights installer.Rights) (installer.KeyPair, error) {
	var random [11 + 30]byte
	_, _ = rand.Read(random[:]) // never fails
	id := (accessKeyPrefix + base32.StdEncoding.EncodeToString(random[:11]))[:accessKeyLength]
	secret := base64.RawURLEncoding.EncodeToString(random[11:])
	info := installer.TokenInfo{Project: project, Name: name, Rights: rights, Created: a.Clock()}
	stored := a.sealKey(installer.KeyInfo{TokenInfo: info, AccessKey: id}, secret)
	if err := a.add(ctx, keys, info, []byte(id), stored); err != nil {
		return installer.KeyPair{}, err
	}
	return installer.KeyPair{AccessKey: id, SecretKey: installer.NewSecret(secret)}, nil
}

// decoyKey is the row that is opened where there is none, so that it takes as long
// to find no key as to find one.
func (a *Access) decoyKey() ([]byte, error) {
	info := installer.TokenInfo{
		Project: installer.DefaultProject, Name: "none", Rights: installer.FullRights, Created: a.Clock(),
	}
	key := installer.KeyInfo{TokenInfo: info, AccessKey: strings.Repeat("0", accessKeyLength)}
	row, err := kv.NewRow(a.sealKey(key, rand.Text()+rand.Text()))
	return kv.SealRow(row, 0), err
}

// Key tells whose an access key is, and its secret key. ErrNotFound if it is
// not known.
func (a *Access) Key(ctx context.Context, accessKey string) (who installer.Principal, secret installer.Secret, err error) {
	var stored storedKey
	known := true
	err = a.DB.View(ctx, func(t *kv.Tx) error {
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
	return stored.Principal(installer.KeyPrincipal), installer.NewSecret(string(plain)), nil
}

// Keys lists the access keys of a project, or of all if it is empty, by
// project and name.
func (a *Access) Keys(ctx context.Context, project string) ([]installer.KeyInfo, error) {
	return list[installer.KeyInfo](ctx, a, keys, project)
}

// RemoveKey ends an access key. ErrNotFound if there is none of this name.
func (a *Access) RemoveKey(ctx context.Context, project, name string) error {
	return a.remove(ctx, keys, project, name)
}
