package store

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
	"time"
)

// tokenPrefix makes a token that was leaked somewhere easy to recognise.
const tokenPrefix = "tpd_"

// tokenLength of a whole token: the prefix and 32 random bytes in base64url.
const tokenLength = len(tokenPrefix) + 43

// TokenInfo is what is known of a token; the token itself is not.
type TokenInfo struct {
	Project string    `json:"project_id"`
	Name    string    `json:"name"`
	Created time.Time `json:"created"`
}

type storedToken struct {
	TokenInfo
	Hash []byte `json:"hash"` // SHA-256
}

// tokenKey finds a token by a part of its hash; the whole is compared in
// constant time.
func tokenKey(hash []byte) []byte { return hash[:8] }

// AddToken makes a token with which name may act for the project, and returns
// it once: only its hash is stored. ErrExists if the project has one of this
// name.
func (s *Store) AddToken(ctx context.Context, project, name string) (string, error) {
	if err := checkProject(project); err != nil {
		return "", err
	}
	if !nameForm.MatchString(name) {
		return "", fmt.Errorf("token name %q: want 1–64 letters, digits or '_.@-', the first a letter or digit", name)
	}
	var random [32]byte
	_, _ = rand.Read(random[:]) // never fails
	token := tokenPrefix + base64.RawURLEncoding.EncodeToString(random[:])
	hash := sha256.Sum256([]byte(token))
	stored := storedToken{TokenInfo{project, name, s.o.Clock()}, hash[:]}
	err := s.update(ctx, func(t *tx) error {
		byName := join(project, name)
		if t.get(bNames, byName) != nil {
			return fmt.Errorf("token %q of project %s: %w", name, project, ErrExists)
		}
		if t.get(bTokens, tokenKey(hash[:])) != nil {
			return errors.New("two tokens with one beginning; try again")
		}
		t.put(bNames, byName, tokenKey(hash[:]))
		t.putRow(bTokens, tokenKey(hash[:]), 0, stored)
		return nil
	})
	if err != nil {
		return "", err
	}
	return token, nil
}

// CheckToken tells for which project a token stands and what it is called; ok
// is false for one that is not known.
func (s *Store) CheckToken(ctx context.Context, token string) (project, name string, ok bool, err error) {
	if len(token) != tokenLength || !strings.HasPrefix(token, tokenPrefix) {
		return "", "", false, nil
	}
	hash := sha256.Sum256([]byte(token))
	err = s.view(ctx, func(t *tx) error {
		row := t.get(bTokens, tokenKey(hash[:]))
		if row == nil {
			return nil
		}
		var stored storedToken
		if _, err := readRow(row, &stored); err != nil {
			return err
		}
		if subtle.ConstantTimeCompare(stored.Hash, hash[:]) == 1 {
			project, name, ok = stored.Project, stored.Name, true
		}
		return nil
	})
	return project, name, ok, err
}

// Tokens lists all tokens, by project and name.
func (s *Store) Tokens(ctx context.Context) ([]TokenInfo, error) {
	var infos []TokenInfo
	err := s.view(ctx, func(t *tx) error {
		infos = nil
		for _, key := range t.all(bNames, nil) {
			var stored storedToken
			if _, err := readRow(t.get(bTokens, key), &stored); err != nil {
				return err
			}
			infos = append(infos, stored.TokenInfo)
		}
		return nil
	})
	return infos, err
}

// RemoveToken ends a token. ErrNotFound if there is none of this name.
func (s *Store) RemoveToken(ctx context.Context, project, name string) error {
	return s.update(ctx, func(t *tx) error {
		byName := join(project, name)
		key := bytes.Clone(t.get(bNames, byName))
		if key == nil {
			return notFound("token", name)
		}
		t.del(bNames, byName)
		t.del(bTokens, key)
		return nil
	})
}
