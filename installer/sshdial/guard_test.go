package sshdial

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
	"tripod/installer/sshtest"
)

// TestGuardIsToldWhatAServerSays: of the password, once, and of nothing else.
func TestGuardIsToldWhatAServerSays(t *testing.T) {
	t.Parallel()
	text, line := newPEM(t, "ed25519")
	password := installer.Login{Password: installer.NewSecret("right")}
	wrong := installer.Login{Password: installer.NewSecret("wrong")}
	key := installer.Login{Password: installer.NewSecret("right"), PrivateKey: installer.NewSecret(text)}
	for name, tc := range map[string]struct {
		user  sshtest.User
		login installer.Login
		want  []installer.PasswordAnswer
	}{
		"password":                   {sshtest.User{Password: "right"}, password, []installer.PasswordAnswer{installer.PasswordAccepted}},
		"wrong password":             {sshtest.User{Password: "right"}, wrong, []installer.PasswordAnswer{installer.PasswordRefused}},
		"keyboard-interactive":       {sshtest.User{KeyboardInteractive: "right"}, password, []installer.PasswordAnswer{installer.PasswordAccepted}},
		"wrong keyboard-interactive": {sshtest.User{KeyboardInteractive: "right"}, wrong, []installer.PasswordAnswer{installer.PasswordRefused}},
		"expired":                    {sshtest.User{KeyboardInteractive: "right", Expired: sshtest.ExpiredPrompt}, password, []installer.PasswordAnswer{installer.PasswordAccepted}},
		"key":                        {sshtest.User{Password: "right", AuthorizedKeys: []string{line}}, key, nil},
		"other methods only":         {sshtest.User{AuthorizedKeys: []string{line}}, password, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tc.user.Name = "root"
			s := sshtest.Start(t, sshtest.Config{Users: []sshtest.User{tc.user}})
			var told []installer.PasswordAnswer
			guard := func(_ context.Context, user string, given installer.Secret) (func(installer.PasswordAnswer), error) {
				assert.Equal(t, "root", user)
				assert.Equal(t, tc.login.Password, given)
				assert.Empty(t, s.Counts().Passwords, "asked before it is sent")
				return func(a installer.PasswordAnswer) { told = append(told, a) }, nil
			}
			c, err := newDialer(t, Config{}).Dial(t.Context(), "p", installer.Host{Endpoint: s.Endpoint("root")}, installer.Credentials{Login: tc.login}, installer.AcceptNew, guard)
			if err == nil {
				assert.NoError(t, c.Close())
			}
			assert.Equal(t, tc.want, told)
		})
	}
}

// TestHeldBackPasswordIsNotSent: the guard's word is the result.
func TestHeldBackPasswordIsNotSent(t *testing.T) {
	t.Parallel()
	for name, user := range map[string]sshtest.User{
		"password": {Name: "root", Password: "x"}, "keyboard-interactive": {Name: "root", KeyboardInteractive: "x"},
	} {
		s := sshtest.Start(t, sshtest.Config{Users: []sshtest.User{user}})
		host := installer.Host{Endpoint: s.Endpoint("root")}
		creds := installer.Credentials{Login: installer.Login{Password: installer.NewSecret("x")}}
		d := newDialer(t, Config{})
		_, err := d.Dial(t.Context(), "p", host, creds, installer.AcceptNew, func(context.Context, string, installer.Secret) (func(installer.PasswordAnswer), error) {
			return nil, installer.Fail(installer.KindLoginHeldBack, "not now")
		})
		kind(t, installer.KindLoginHeldBack, err)

		ctx, cancel := context.WithCancel(t.Context())
		_, err = d.Dial(ctx, "p", host, creds, installer.AcceptNew, func(ctx context.Context, _ string, _ installer.Secret) (func(installer.PasswordAnswer), error) {
			cancel()
			<-ctx.Done()
			return nil, context.Cause(ctx)
		})
		kind(t, installer.KindCanceled, err)
		require.Empty(t, s.Counts().Passwords, name)
	}
}
