package installer

import (
	"context"
	"time"
)

// Rights are what a token or key may do in its project.
type Rights string

const (
	FullRights Rights = "full"
	ReadRights Rights = "read" // look, and change nothing
)

func (r Rights) Known() bool { return r == FullRights || r == ReadRights }

func (r Rights) Allow(needed Rights) bool {
	return r == FullRights || r == ReadRights && needed == ReadRights
}

// Principal is who asks.
type Principal struct {
	Project string `json:"project_id"`
	Kind    string `json:"kind"`
	Name    string `json:"name"`
	Rights  Rights `json:"rights"`
}

const (
	TokenPrincipal = "token"
	KeyPrincipal   = "key"
	UserPrincipal  = "user" // of the machine that the state folder is on
)

// Local reports whether it is the user who has the state folder, and all projects with it.
func (p Principal) Local() bool { return p.Kind == UserPrincipal }

// String is how the audit log names the principal: "token NAME".
func (p Principal) String() string { return p.Kind + " " + p.Name }

// TokenInfo is what is known of a token; the token itself is not.
type TokenInfo struct {
	Project string    `json:"project_id"`
	Name    string    `json:"name"`
	Rights  Rights    `json:"rights"`
	Created time.Time `json:"created"`
}

// Principal is who comes with it; kind is TokenPrincipal or KeyPrincipal.
func (t TokenInfo) Principal(kind string) Principal {
	return Principal{t.Project, kind, t.Name, t.Rights}
}

// KeyInfo is what is known of an access key, without its secret key.
type KeyInfo struct {
	TokenInfo
	AccessKey string `json:"access_key"`
}

// KeyPair is a new access key with its secret key, which is shown once.
type KeyPair struct {
	AccessKey string
	SecretKey Secret
}

type actorKey struct{}
type actorProjectKey struct{}

// WithActor says who acts, for the audit log: a Principal's String.
func WithActor(ctx context.Context, actor string) context.Context {
	return context.WithValue(ctx, actorKey{}, actor)
}

// WithActorProject says which project's login acts on what is no project's, for the audit log.
func WithActorProject(ctx context.Context, project string) context.Context {
	return context.WithValue(ctx, actorProjectKey{}, project)
}

// ActorOf returns who acts; empty: nobody has said.
func ActorOf(ctx context.Context) string { return text(ctx, actorKey{}) }

func ActorProjectOf(ctx context.Context) string { return text(ctx, actorProjectKey{}) }

func text(ctx context.Context, key any) string {
	value, _ := ctx.Value(key).(string)
	return value
}
