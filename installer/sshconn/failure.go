package sshconn

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"tripod/installer"
)

func ContextFailure(ctx context.Context, when string) *installer.Failure {
	cause := context.Cause(ctx)
	if errors.Is(cause, installer.ErrAttemptTimeout) || errors.Is(cause, context.DeadlineExceeded) {
		return Failf(installer.KindStepTimeout, cause, "out of time %s", when)
	}
	return Failf(installer.KindCanceled, cause, "stopped %s", when)
}

// Failf makes a Failure whose cause is err. The text of err, which may come
// from the server, is not in its Detail.
func Failf(kind installer.Kind, err error, format string, args ...any) *installer.Failure {
	return &installer.Failure{Kind: kind, Detail: fmt.Sprintf(format, args...), Err: err}
}

// asError keeps a nil Failure from becoming an error that is not nil.
func asError(fail *installer.Failure) error {
	if fail == nil {
		return nil
	}
	return fail
}

// ContainsAny looks for words, which are in lower case, in a text of any case.
func ContainsAny(text string, words ...string) bool {
	text = strings.ToLower(text)
	return slices.ContainsFunc(words, func(word string) bool { return strings.Contains(text, word) })
}

const maxQuote = 200

// Quote makes remote text fit to be shown: one line, capped, control and bidi characters
// escaped, the given secrets removed (a server may send back what it was sent).
func Quote(text string, secrets ...installer.Secret) string {
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
