package installer_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
)

func TestSecretShowsNowhere(t *testing.T) {
	t.Parallel()
	const value = "hunter2-hunter2"
	creds := installer.Credentials{
		Login: installer.Login{Password: installer.NewSecret(value), PrivateKey: installer.NewSecret(value)},
		Via:   []installer.Login{{Password: installer.NewSecret(value)}},
	}
	shown := ""
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T", "%p", "%U", "%e", "%t", "%z"} {
		for _, v := range []any{creds.Password, &creds.Password, creds, &creds, []installer.Credentials{creds}, map[string]any{"c": creds}} {
			shown += fmt.Sprintf(verb, v) + "\n"
		}
	}
	encoded, err := json.Marshal(creds)
	require.NoError(t, err)
	var logged bytes.Buffer
	slog.New(slog.NewTextHandler(&logged, nil)).Info("x", "c", creds, "p", creds.Password)
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("x", "c", creds, "p", creds.Password)
	panicked := func() (text string) {
		defer func() { text = fmt.Sprint(recover()) }()
		panic(creds)
	}()

	for _, text := range []string{shown, string(encoded), logged.String(), panicked} {
		assert.NotContains(t, text, value)
		assert.NotContains(t, text, fmt.Sprintf("%x", value))
		assert.NotContains(t, text, fmt.Sprintf("%X", value))
	}
	assert.Equal(t, value, creds.Password.Reveal())
	assert.Len(t, creds.Secrets(), 3)
	assert.Empty(t, installer.Secret{}.String())
}
