package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"tripod/installer"
	"tripod/installer/api"
)

// Operation is one thing that a client can ask for: a POST of an In, answered with an
// Out, which may be an api.Stream.
type Operation[In, Out any] struct {
	name   string // what its path ends with
	rights installer.Rights
	about  string // for docs/control-api.md
	do     handler[In, Out]
	traits
}

type traits struct {
	shared string // what of all projects it changes: only the operator's project may
	large  bool   // it may have 64 MiB, and take minutes
	once   bool   // it is not asked again when the answer is lost, which has a secret
	noun   string // what an In names; where that is not there, it is said
}

func large(t *traits)                  { t.large = true }
func once(t *traits)                   { t.once = true }
func noun(what string) func(*traits)   { return func(t *traits) { t.noun = what } }
func shared(what string) func(*traits) { return func(t *traits) { t.shared = what } }

// defined are all operations, in the order of operations.go.
var defined []interface{ servedBy(s *service) Served }

func define[In, Out any](
	name string, rights installer.Rights, about string, do handler[In, Out], with ...func(*traits),
) Operation[In, Out] {
	o := Operation[In, Out]{name: name, rights: rights, about: about, do: do}
	for _, set := range with {
		set(&o.traits)
	}
	defined = append(defined, o)
	return o
}

const (
	root = "/tripod/v1/"
	// maxLarge is for 10,000 hosts with a key of its own each.
	maxLarge = 64 << 20
	// longest is how long a large request may take to arrive.
	longest = 5 * time.Minute
	// requestLimit bounds one request with its answer.
	requestLimit = 5 * time.Minute
)

// path is the operation's in a project; whoAmI has none.
func (o Operation[In, Out]) path(project string) string {
	if o.name == whoAmI.name {
		return root + o.name
	}
	return root + project + "/" + o.name
}

// Served is an operation as a server has it.
type Served struct {
	api.Route
	Name, About string
	Right       string // read, full, or operator: full in the operator's project
	In          any    // an empty one
}

func (o Operation[In, Out]) servedBy(s *service) Served {
	route := api.Route{Method: http.MethodPost, Pattern: o.path("{project_id}"), Rights: o.rights}
	if o.large {
		route.MaxBody, route.Wait = maxLarge, longest
	}
	route.Handle = func(r *api.Request) (any, error) {
		ctx, who := r.Context(), r.Principal
		if o.shared != "" && !who.Local() {
			if s.Operator == "" || who.Project != s.Operator {
				return nil, api.Refuse(http.StatusForbidden, api.CodeForbidden, "%s is one for all projects: "+
					"only a login of the operator's project changes it (serve --operator-project)", o.shared)
			}
			// The audit log tells the login's project: names of tokens are unique in one project only.
			ctx = installer.WithActorProject(ctx, who.Project)
		}
		in, err := decode[In](r.Body)
		if err != nil {
			return nil, err
		}
		out, err := o.do(s, ctx, who, in)
		if o.noun != "" && errors.Is(err, installer.ErrNotFound) {
			err = fmt.Errorf("%s %v: %w", o.noun, in, installer.ErrNotFound)
		}
		return out, answerTo(err, o.rights == installer.FullRights)
	}
	right := string(o.rights)
	if o.shared != "" {
		right = "operator"
	}
	return Served{route, o.name, o.about, right, *new(In)}
}

func (o Operation[In, Out]) ask(c *Client, in In) (api.Ask, error) {
	body, err := encode(in)
	if err != nil {
		return api.Ask{}, fmt.Errorf("encode the request: %w", err)
	}
	return api.Ask{Method: http.MethodPost, Path: o.path(url.PathEscape(c.Project)), Body: body}, nil
}

// Call asks for the operation in the client's project, several times where that may
// help: every one but those with once can be asked twice.
func (o Operation[In, Out]) Call(ctx context.Context, c *Client, in In) (out Out, err error) {
	ask, err := o.ask(c, in)
	if err != nil {
		return out, err
	}
	tries := usualTries
	if o.once {
		tries = 1
	}
	err = c.untilAnswered(ctx, tries, func(error) {}, func(func()) error {
		limited, cancel := context.WithTimeout(ctx, requestLimit)
		defer cancel()
		return plainError(c.api.Do(limited, ask, &out))
	})
	return out, err
}

// open asks for an operation of which the answer is read as it comes.
func (o Operation[In, Out]) open(ctx context.Context, c *Client, in In) (io.ReadCloser, error) {
	ask, err := o.ask(c, in)
	if err != nil {
		return nil, err
	}
	stream, err := c.api.Open(ctx, ask)
	if err != nil {
		return nil, plainError(err)
	}
	return answerStream{stream}, nil
}

// answerStream tells when nobody answers any more.
type answerStream struct{ io.ReadCloser }

func (s answerStream) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	return n, asUnanswered(err)
}
