package control

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/installer"
)

// oneHost keeps the credentials of one known host.
type oneHost struct{ host installer.Host }

func (k oneHost) Invocation(context.Context, string, string) (installer.Invocation, error) {
	return installer.Invocation{}, errors.New("nobody asks for it")
}

func (k oneHost) Credentials(context.Context, *installer.Invocation) (installer.Credentials, error) {
	return installer.Credentials{}, errors.New("nobody asks for them")
}

func (k oneHost) KnownHost(_ context.Context, project, id string) (installer.Host, error) {
	if project != "p" || id != k.host.ID {
		return installer.Host{}, installer.ErrNotFound
	}
	return k.host, nil
}

func (k oneHost) HostCredentials(context.Context, string, installer.Host) (installer.Credentials, error) {
	return installer.Credentials{Login: installer.Login{Password: installer.NewSecret("kept")}}, nil
}

// What is kept for a host goes to that host only: whoever may submit work could
// otherwise have its password sent to a server of his own.
func TestKeptForHostGoesToThatHostOnly(t *testing.T) {
	t.Parallel()
	host := installer.Host{ID: "i-1", Endpoint: installer.Endpoint{Address: "10.0.0.1", Port: 22, User: "root"},
		Via: []installer.Endpoint{{Address: "10.0.0.9", Port: 22, User: "ops"}}}
	resolve := func(change func(*installer.Host), project string) (installer.Credentials, error) {
		h := host
		change(&h)
		s := Submission{Batch: installer.Batch{
			BatchHead: installer.BatchHead{ProjectID: project},
			Items:     []installer.Item{{Invocation: installer.Invocation{ID: "I", Host: h}}},
		}, Inherit: map[string]string{"I": KeptForHost}}
		err := s.Resolve(t.Context(), oneHost{host})
		return s.Items[0].Credentials, err
	}
	c, err := resolve(func(*installer.Host) {}, "p")
	require.NoError(t, err)
	assert.Equal(t, "kept", c.Password.Reveal())
	for name, change := range map[string]func(*installer.Host){
		"address": func(h *installer.Host) { h.Address = "10.0.0.2" },
		"port":    func(h *installer.Host) { h.Port = 2222 },
		"user":    func(h *installer.Host) { h.User = "eve" },
		"pin":     func(h *installer.Host) { h.HostKey = "SHA256:x" },
		"no way":  func(h *installer.Host) { h.Via = nil },
		"way":     func(h *installer.Host) { h.Via = []installer.Endpoint{{Address: "10.0.0.8", Port: 22, User: "ops"}} },
	} {
		c, err := resolve(change, "p")
		_, ok := errors.AsType[installer.Faults](err)
		require.True(t, ok, "%s: %v", name, err)
		assert.True(t, c.IsZero(), name)
	}
	_, err = resolve(func(h *installer.Host) { h.ID = "i-2" }, "p")
	require.ErrorIs(t, err, installer.ErrNotFound)
	_, err = resolve(func(*installer.Host) {}, "another")
	require.ErrorIs(t, err, installer.ErrNotFound)
}
