package session

import (
	"math"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"tripod/cmd/tripod/internal/exit"
	"tripod/cmd/tripod/internal/report"
	"tripod/installer"
	"tripod/installer/api"
)

func TestFailureLimit(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text        string
		total, want int
	}{
		{"", 100, 0}, {"1", 100, 1}, {"250", 100, 250},
		{"10%", 100, 10}, {"10%", 5, 1}, {"1%", 101, 2}, {"100%", 7, 7},
		{"0", 1, -1}, {"0%", 1, -1}, {"101%", 1, -1}, {"-1", 1, -1}, {"x", 1, -1}, {"%", 1, -1}, {"1.5", 1, -1},
	} {
		got, err := (&RunFlags{MaxFailures: tt.text}).failureLimit()
		if tt.want < 0 {
			assert.Error(t, err, tt.text)
			continue
		}
		require.NoError(t, err, tt.text)
		assert.Equal(t, tt.want, got.Of(tt.total), tt.text)
	}
}

func TestBoundParallel(t *testing.T) {
	t.Parallel()
	n, err := boundParallel(32, 1024)
	require.NoError(t, err)
	assert.Equal(t, 32, n)
	n, err = boundParallel(1000, 1024)
	require.NoError(t, err)
	assert.Equal(t, 320, n)
	n, err = boundParallel(1000, 10)
	require.NoError(t, err)
	assert.Equal(t, 1, n, "there is always one worker")
	_, err = boundParallel(0, 1024)
	require.Error(t, err)
	assert.Positive(t, descriptorLimit())
	assert.LessOrEqual(t, descriptorLimit(), math.MaxInt32)
}

func TestShellQuote(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "/var/lib/tripod", ShellQuote("/var/lib/tripod"))
	assert.Equal(t, `'/my dir'`, ShellQuote("/my dir"))
	assert.Equal(t, `'it'\''s $(x)'`, ShellQuote("it's $(x)"))
	assert.Equal(t, "''", ShellQuote(""))
}

// TestConnectErrorOfAnotherServer: what answers, and is no tripod, is told apart.
func TestConnectErrorOfAnotherServer(t *testing.T) {
	t.Parallel()
	var e *exit.Error
	require.ErrorAs(t, connectError("http://127.0.0.1:1", &api.Error{Status: http.StatusNotFound}), &e)
	assert.Equal(t, exit.Usage, e.Code)
	assert.Contains(t, e.Hint, "is a tripod daemon")
}

// What was rolled back is no failure.
func TestVerdictOfRolledBack(t *testing.T) {
	t.Parallel()
	r := report.Report{BatchID: "B", Invocations: []installer.Invocation{{State: installer.Rollbacked}, {State: installer.Succeeded}}}
	assert.NoError(t, (&Session{}).verdict(r, Outcome{}))
}
