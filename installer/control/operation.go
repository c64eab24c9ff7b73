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

// operation is one thing that a client can ask for: a POST of an In, answered with an
// Out, which may be an api.Stream.
type operation[In, Out any] struct {
	name   string // what its path ends with
	rights installer.Rights
	// shared says what of all projects it changes: only the operator's project may.
	shared string
	// large: it may have 64 MiB, and take minutes.
	large bool
	// once: it is not asked again when the answer is lost, which has a secret.
	once bool
	// noun is what an In names; where that is not there, it is said.
	noun  string
	about string // for docs/control-api.md
}

const (
	root = "/tripod/v1/"
	// maxLarge is for 10,000 hosts with a key of its own each.
	maxLarge = 64 << 20
	// longest is how long a large request may take to arrive.
	longest = 5 * time.Minute
	// requestLimit bounds one request with its answer.
	requestLimit = 5 * time.Minute
	maxAnswer    = 64 << 20
)

// path is the operation's in a project; whoAmI has none.
func (o operation[In, Out]) path(project string) string {
	if o.name == whoAmI.name {
		return root + o.name
	}
	return root + project + "/" + o.name
}

// Operation is an operation as it is served.
type Operation struct {
	api.Route
	Name, About string
	Right       string // read, full, or operator: full in the operator's project
	In          any    // an empty one
}

// handle serves an operation with do.
func handle[In, Out any](s *service, o operation[In, Out], do func(ctx context.Context, who installer.Principal, in In) (Out, error)) Operation {
	route := api.Route{Method: http.MethodPost, Pattern: o.path("{project_id}"), Rights: o.rights}
	if o.large {
		route.MaxBody, route.Wait = maxLarge, longest
	}
	route.Handle = func(r *api.Request) (any, error) {
		ctx, who := r.Context(), r.Principal
		if o.shared != "" && !who.Local() {
			if s.Operator == "" || who.Project != s.Operator {
				return nil, api.Refuse(http.StatusForbidden, api.CodeForbidden, "%s: only a login of the operator's project changes it (serve --operator-project)", o.shared)
			}
			// The audit log tells whose login it was: names of tokens are one project's.
			ctx = installer.WithActorProject(ctx, who.Project)
		}
		in, err := decode[In](r.Body)
		if err != nil {
			return nil, err
		}
		out, err := do(ctx, who, in)
		if o.noun != "" && errors.Is(err, installer.ErrNotFound) {
			err = fmt.Errorf("%s %v: %w", o.noun, in, installer.ErrNotFound)
		}
		return out, answerTo(err, o.rights == installer.FullRights)
	}
	right := string(o.rights)
	if o.shared != "" {
		right = "operator"
	}
	return Operation{route, o.name, o.about, right, *new(In)}
}

// ask makes the request. project has to be the client's own; empty: it is.
func (o operation[In, Out]) ask(c *Client, project string, in In) (api.Ask, error) {
	if own := c.principal.Project; project != "" && project != own {
		return api.Ask{}, installer.Faults{{Where: "project", What: fmt.Sprintf("this login is for project %q, not for %q", own, project)}}
	}
	body, err := encode(in)
	if err != nil {
		return api.Ask{}, fmt.Errorf("encode the request: %w", err)
	}
	return api.Ask{Method: http.MethodPost, Path: o.path(url.PathEscape(c.principal.Project)), Body: body, Most: maxAnswer}, nil
}

// call asks for an operation, several times where that may help: every one but those
// with once can be asked twice.
func call[In, Out any](ctx context.Context, c *Client, o operation[In, Out], project string, in In) (out Out, err error) {
	ask, err := o.ask(c, project, in)
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

// do asks for what only changes something.
func do[In any](ctx context.Context, c *Client, o operation[In, struct{}], project string, in In) error {
	_, err := call(ctx, c, o, project, in)
	return err
}

// open asks for an operation of which the answer is read as it comes.
func open[In any](ctx context.Context, c *Client, o operation[In, api.Stream], project string, in In) (io.ReadCloser, error) {
	ask, err := o.ask(c, project, in)
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
