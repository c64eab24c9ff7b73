package sshconn

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"tripod/installer"
)

// ctxFailure is the Failure of an operation whose context is done.
func ctxFailure(ctx context.Context, when string) *installer.Failure {
	cause := context.Cause(ctx)
	f := &installer.Failure{Kind: installer.KindCanceled, Detail: "stopped " + when, Err: cause}
	switch {
	case errors.Is(cause, installer.ErrAttemptTimeout), errors.Is(cause, context.DeadlineExceeded):
		f.Kind, f.Detail = installer.KindStepTimeout, "out of time "+when
	}
	return f
}

// fail makes a Failure whose cause is err and whose text has nothing of it.
func failf(kind installer.Kind, err error, format string, args ...any) *installer.Failure {
	return &installer.Failure{Kind: kind, Detail: fmt.Sprintf(format, args...), Err: err}
}

// maxQuote is how many bytes of a remote text get into a Detail.
const maxQuote = 200

// quote makes remote text fit to be shown: one line, capped, control and bidi
// characters escaped, the given secrets taken out (a server may send back what
// it was sent).
func quote(text string, secrets ...installer.Secret) string {
	text = strings.TrimSpace(text)
	for _, s := range secrets {
		if !s.IsZero() {
			text = strings.ReplaceAll(text, s.Reveal(), s.String())
		}
	}
	if len(text) > maxQuote {
		text = text[:maxQuote] + "…"
	}
	return strconv.Quote(text)
}
