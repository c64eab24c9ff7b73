package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"tripod/cmd/tripod/internal/exit"
	"tripod/cmd/tripod/internal/report"
	"tripod/cmd/tripod/internal/session"
	"tripod/installer"
)

// TestInterruptedCancelOfOne: what goes on with the cancel of one host is not the
// cancel of all.
func TestInterruptedCancelOfOne(t *testing.T) {
	t.Parallel()
	var out, told strings.Builder
	s := session.New(nil, &out, &told, "")
	s.Flags.StateDir, s.Project = session.DefaultStateDir(), installer.DefaultProject
	r := report.Report{BatchID: "B", Invocations: []installer.Invocation{{ID: "I", State: installer.Pending}}}
	cmd := cancelCmd{reportFlag: reportFlag{Output: "table"}}
	err := cmd.show(&session.Job{Session: s}, session.Outcome{Interrupted: true}, r, "I")
	assert.Equal(t, exit.Interrupted, exit.Report(&told, err))
	assert.Contains(t, told.String(), "to continue: tripod cancel I\n")
}
