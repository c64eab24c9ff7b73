package installer

import "context"

// PasswordGuard is asked before a password is sent to a host's SSH server. It may wait, and returns
// what is to be called, once, with what came of the password. Its error is a Failure of
// KindLoginHeldBack, or the cause for which ctx is done. Nil guards nothing.
type PasswordGuard func(ctx context.Context, user string, password Secret) (answered func(PasswordAnswer), err error)

// PasswordAnswer is what a server says of a password.
type PasswordAnswer int

const (
	PasswordUnanswered PasswordAnswer = iota // the connection, or a limit, ended before it said anything
	PasswordRefused
	PasswordAccepted
)
