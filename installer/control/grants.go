package control

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"tripod/installer"
	"tripod/installer/api"
)

// Grants keeps tokens and access keys. Over the network only a login with full
// rights manages them, and those of its own project alone.
type Grants interface {
	AddToken(ctx context.Context, project, name string, rights installer.Rights) (string, error)
	Tokens(ctx context.Context, project string) ([]installer.TokenInfo, error)
	RemoveToken(ctx context.Context, project, name string) error
	AddKey(ctx context.Context, project, name string, rights installer.Rights) (installer.KeyPair, error)
	Keys(ctx context.Context, project string) ([]installer.KeyInfo, error)
	RemoveKey(ctx context.Context, project, name string) error
}

// wireGrant asks for a new token or key.
type wireGrant struct {
	Name   string           `json:"name"`
	Rights installer.Rights `json:"rights"`
}

// wireToken and wireKey are told once.
type wireToken struct {
	Token string `json:"token"`
}

type wireKey struct {
	AccessKey string `json:"access_key"`
	SecretKey string `json:"secret_key"`
}

type tokenList struct {
	Tokens []installer.TokenInfo `json:"tokens"`
}

type keyList struct {
	Keys []installer.KeyInfo `json:"keys"`
}

func (s service) grantRoutes() []api.Route {
	route := func(method, path string, handle func(*api.Request) (any, error)) api.Route {
		return api.Route{Method: method, Pattern: root + path, Rights: installer.FullRights, Handle: handle}
	}
	return []api.Route{
		route(http.MethodGet, "/tokens", func(r *api.Request) (any, error) {
			all, err := s.Store.Tokens(r.Context(), projectsOf(r))
			return tokenList{all}, err
		}),
		route(http.MethodGet, "/keys", func(r *api.Request) (any, error) {
			all, err := s.Store.Keys(r.Context(), projectsOf(r))
			return keyList{all}, err
		}),
		route(http.MethodPost, "/tokens", grant(func(r *api.Request, w wireGrant) (any, error) {
			token, err := s.Store.AddToken(r.Context(), r.Principal.Project, w.Name, w.Rights)
			return wireToken{token}, err
		})),
		route(http.MethodPost, "/keys", grant(func(r *api.Request, w wireGrant) (any, error) {
			pair, err := s.Store.AddKey(r.Context(), r.Principal.Project, w.Name, w.Rights)
			return wireKey{pair.AccessKey, pair.SecretKey.Reveal()}, err
		})),
		route(http.MethodDelete, "/tokens/{name}", func(r *api.Request) (any, error) {
			return struct{}{}, refusal(s.Store.RemoveToken(r.Context(), r.Principal.Project, r.PathValue("name")))
		}),
		route(http.MethodDelete, "/keys/{name}", func(r *api.Request) (any, error) {
			return struct{}{}, refusal(s.Store.RemoveKey(r.Context(), r.Principal.Project, r.PathValue("name")))
		}),
	}
}

// projectsOf is the project that a list is of; empty: all, which the user of the
// state folder may ask for (`all=true`).
func projectsOf(r *api.Request) string {
	if r.Principal.Local() && r.URL.Query().Get("all") == "true" {
		return ""
	}
	return r.Principal.Project
}

// allQuery asks for all projects where none is named. From afar there is one.
func allQuery(project string) url.Values {
	if project == "" {
		return url.Values{"all": {"true"}}
	}
	return url.Values{}
}

func grant(do func(*api.Request, wireGrant) (any, error)) func(*api.Request) (any, error) {
	return func(r *api.Request) (any, error) {
		var w wireGrant
		if err := decode(r.Body, &w); err != nil {
			return nil, err
		}
		if !w.Rights.Known() {
			return nil, installer.Faults{{Where: "rights", What: "must be full or read"}}
		}
		answer, err := do(r, w)
		return answer, refusal(err)
	}
}

// grant asks once: when the answer is lost, so is the secret in it.
func (c *Client) grant(ctx context.Context, project, path string, w wireGrant, answer any) error {
	if err := c.own(project); err != nil {
		return err
	}
	raw, err := json.Marshal(w)
	if err != nil {
		return fmt.Errorf("encode the request: %w", err)
	}
	return plainError(c.once(ctx, api.Ask{Method: http.MethodPost, Path: path, Body: raw}, answer), "", "")
}

// AddToken makes a token and returns it, once.
func (c *Client) AddToken(ctx context.Context, project, name string, rights installer.Rights) (string, error) {
	var w wireToken
	err := c.grant(ctx, project, c.path("tokens"), wireGrant{name, rights}, &w)
	return w.Token, err
}

// Tokens lists the project's; an empty one: of all that the caller may see.
func (c *Client) Tokens(ctx context.Context, project string) ([]installer.TokenInfo, error) {
	var list tokenList
	err := c.change(ctx, project, http.MethodGet, c.path("tokens")+"?"+allQuery(project).Encode(), nil, &list, "", "")
	return list.Tokens, err
}

// RemoveToken ends a token.
func (c *Client) RemoveToken(ctx context.Context, project, name string) error {
	return c.change(ctx, project, http.MethodDelete, c.path("tokens", name), nil, new(struct{}), "token", name)
}

// AddKey makes an access key and returns it with its secret key, once.
func (c *Client) AddKey(ctx context.Context, project, name string, rights installer.Rights) (installer.KeyPair, error) {
	var w wireKey
	err := c.grant(ctx, project, c.path("keys"), wireGrant{name, rights}, &w)
	return installer.KeyPair{AccessKey: w.AccessKey, SecretKey: installer.NewSecret(w.SecretKey)}, err
}

// Keys lists the project's; an empty one: of all that the caller may see.
func (c *Client) Keys(ctx context.Context, project string) ([]installer.KeyInfo, error) {
	var list keyList
	err := c.change(ctx, project, http.MethodGet, c.path("keys")+"?"+allQuery(project).Encode(), nil, &list, "", "")
	return list.Keys, err
}

// RemoveKey ends a key.
func (c *Client) RemoveKey(ctx context.Context, project, name string) error {
	return c.change(ctx, project, http.MethodDelete, c.path("keys", name), nil, new(struct{}), "key", name)
}
