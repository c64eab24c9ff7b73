package access

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"tripod/installer"
	"tripod/store/kv"
)

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

// AddToken makes a token with which name may act for the project, and returns
// it once: only its hash is stored. installer.ErrExists if the project has one of this
// name.
func (a *Access) AddToken(ctx context.Context, project, name string, rights installer.Rights) (string, error) {
	if err := checkGrant("token", project, name, rights); err != nil {
		return "", err
	}
	var random [32]byte
	_, _ = rand.Read(random[:]) // never fails
	token := tokenPrefix + base64.RawURLEncoding.EncodeToString(random[:])
	hash := sha256.Sum256([]byte(token))
	now := a.clock()
	stored := storedToken{installer.TokenInfo{Project: project, Name: name, Rights: rights, Created: now}, hash[:]}
	err := a.db.Update(ctx, func(t *kv.Tx) error {
		byName := kv.Join(project, name)
		if t.Get(tTokenNames, byName) != nil {
			return fmt.Errorf("token %q of project %s: %w", name, project, installer.ErrExists)
		}
		if t.Get(tTokens, tokenKey(hash[:])) != nil {
			return errors.New("two tokens with one beginning; try again")
		}
		t.Put(tTokenNames, byName, tokenKey(hash[:]))
		t.PutRow(tTokens, tokenKey(hash[:]), 0, stored)
		return a.note(ctx, t, now, installer.AuditEntry{Project: project, Action: installer.AuditTokenAdd, Subject: name, Detail: "rights " + string(rights)})
	})
	if err != nil {
		return "", err
	}
	return token, nil
}

// checkGrant checks what a token or key is to be.
func checkGrant(what, project, name string, rights installer.Rights) error {
	if err := kv.CheckProject(project); err != nil {
		return err
	}
	if !nameForm.MatchString(name) {
		return fmt.Errorf("%s name %q: want 1–64 letters, digits or '_.@-', the first a letter or digit", what, name)
	}
	if !rights.Known() {
		return fmt.Errorf("%s rights %q: want %s or %s", what, rights, installer.FullRights, installer.ReadRights)
	}
	return nil
}

// CheckToken tells who comes with a token. ErrNotFound if it is not known.
func (a *Access) CheckToken(ctx context.Context, token string) (who installer.Principal, err error) {
	if len(token) != tokenLength || !strings.HasPrefix(token, tokenPrefix) {
		return who, errTokenUnknown
	}
	hash := sha256.Sum256([]byte(token))
	err = a.db.View(ctx, func(t *kv.Tx) error {
		row := t.Get(tTokens, tokenKey(hash[:]))
		if row == nil {
			return errTokenUnknown
		}
		var stored storedToken
		if _, err := kv.ReadRow(row, &stored); err != nil {
			return err
		}
		if subtle.ConstantTimeCompare(stored.Hash, hash[:]) != 1 {
			return errTokenUnknown
		}
		who = installer.Principal{Project: stored.Project, Kind: installer.TokenPrincipal, Name: stored.Name, Rights: stored.Rights}
		return nil
	})
	return who, err
}

// errTokenUnknown does not say which token: its text may get into a log.
var errTokenUnknown = fmt.Errorf("token: %w", installer.ErrNotFound)

// Tokens lists the tokens of a project, or of all if it is empty, by project
// and name.
func (a *Access) Tokens(ctx context.Context, project string) ([]installer.TokenInfo, error) {
	var infos []installer.TokenInfo
	err := a.db.View(ctx, func(t *kv.Tx) error {
		infos = nil
		for _, key := range t.All(tTokenNames, ofProject(project)) {
			var stored storedToken
			if _, err := kv.ReadRow(t.Get(tTokens, key), &stored); err != nil {
				return err
			}
			infos = append(infos, stored.TokenInfo)
		}
		return nil
	})
	return infos, err
}

// RemoveToken ends a token. ErrNotFound if there is none of this name.
func (a *Access) RemoveToken(ctx context.Context, project, name string) error {
	now := a.clock()
	return a.db.Update(ctx, func(t *kv.Tx) error {
		byName := kv.Join(project, name)
		key := bytes.Clone(t.Get(tTokenNames, byName))
		if key == nil {
			return kv.NotFound("token", name)
		}
		t.Del(tTokenNames, byName)
		t.Del(tTokens, key)
		return a.note(ctx, t, now, installer.AuditEntry{Project: project, Action: installer.AuditTokenRemove, Subject: name})
	})
}
