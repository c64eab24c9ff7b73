package installer

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLimitsAreSet(t *testing.T) {
	var l Limits
	require.NoError(t, l.Set("auth=90s"))
	require.NoError(t, l.Set(" start-up=2m"))
	assert.Equal(t, Limits{Auth: 90 * time.Second, StartUp: 2 * time.Minute}, l)
	assert.Equal(t, "auth=1m30s, start-up=2m", l.String())
	for _, bad := range []string{"", "auth", "auth=", "auth=5", "auth=0s", "auth=-1s", "auth=25h", "run=1m", "Auth=1s"} {
		before := l
		require.ErrorContains(t, l.Set(bad), `"`+bad+`": must be `)
		assert.Equal(t, before, l)
	}
	assert.Equal(t, Limits{Auth: 90 * time.Second, StartUp: 2 * time.Minute, Probe: 1}, l.Or(Limits{Auth: time.Second, Probe: 1}))
}

// TestEachLimitHasARow: what has a default can be set, apart from the script's own limit (--timeout) and the
// time for the end of an output.
func TestEachLimitHasARow(t *testing.T) {
	d := Limits{}.WithDefaults()
	d.Run, d.ExitGrace = 0, 0
	var l Limits
	for _, i := range LimitTable() {
		require.NoError(t, l.Set(i.Name+"="+i.Default().String()))
	}
	assert.Equal(t, d, l)
	assert.Equal(t, "1h", ShortDuration(time.Hour))
}

func TestAnAttemptHasTimeForItsLimits(t *testing.T) {
	assert.Equal(t, 45*time.Minute, Limits{}.WithDefaults().Attempt)
	assert.Greater(t, Limits{Auth: time.Hour, Run: time.Minute}.WithDefaults().Attempt, time.Hour+time.Minute)
	assert.Equal(t, time.Second, Limits{Auth: time.Hour, Attempt: time.Second}.WithDefaults().Attempt)
}
