package recipe

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"tripod/installer"
)

// TestAJumpHostsFailureIsToldApart: the journal says that it was not the host's.
func TestAJumpHostsFailureIsToldApart(t *testing.T) {
	t.Parallel()
	for _, jumpHost := range []bool{true, false} {
		r := New(Config{Dial: func(context.Context, string, installer.Host, installer.Credentials, installer.HostKeyPolicy, installer.PasswordGuard) (Conn, error) {
			return nil, &installer.Failure{Kind: installer.KindAuthRejected, JumpHost: jumpHost}
		}})
		var steps []installer.StepRecord
		_, err := r.Work(t.Context(), &installer.Job{
			Invocation: &installer.Invocation{ID: "inv-1", Spec: installer.Spec{Target: installer.TargetTelescope}},
			Begin:      func(installer.Step) {}, Note: func(rec installer.StepRecord) { steps = append(steps, rec) }, Journal: discardJournal,
		})
		requireKind(t, installer.KindAuthRejected, err)
		require.Len(t, steps, 1)
		require.Equal(t, jumpHost, steps[0].JumpHost)
	}
}
