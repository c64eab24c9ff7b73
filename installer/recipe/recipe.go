package recipe

import (
	"context"
	"log/slog"
	"time"

	"tripod/installer"
)

// Config configures a Recipe. Dialer and Blobs are required.
type Config struct {
	Dialer Dialer
	Blobs  installer.Blobs
	// Limits; zero fields mean their defaults.
	Limits installer.Limits
	// Logger; nil: nothing is logged.
	Logger *slog.Logger
	// Clock tells the wall time for records; nil: time.Now.
	Clock func() time.Time
}

// Recipe implements installer.Installer. Safe for concurrent use.
type Recipe struct {
	Config
	firstPause    time.Duration // before the first try to reconnect
	agentSettings string        // added to the agent's settings; for tests
}

var _ installer.Installer = (*Recipe)(nil)

// New returns a Recipe.
func New(c Config) *Recipe {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	c.Limits = c.Limits.WithDefaults()
	return &Recipe{Config: c, firstPause: firstPause}
}

// runbook is what happens on a host, in this order. Each recipe does a part.
var runbook = []struct {
	name installer.Step
	do   func(*work, context.Context, *installer.StepRecord) error
}{
	{installer.StepConnect, (*work).connect},
	{installer.StepProbe, (*work).probe},
	{installer.StepStage, (*work).stage},
	{installer.StepRun, (*work).run},
	{installer.StepVerify, (*work).verify},
	{installer.StepClean, (*work).clean},
}

// kind is which recipe an invocation is worked by.
type kind int

const (
	agent     kind = iota // the target's scripts and a package
	script                // the user's script; its exit code is the result
	checkOnly             // connect, probe, report
	jumpHost              // SET_REMOTE_INSTALLER: can it be an installer?
)

// last is the last step of a recipe.
func (k kind) last() installer.Step {
	if k == checkOnly || k == jumpHost {
		return installer.StepProbe
	}
	return installer.StepClean
}

func kindOf(inv *installer.Invocation) (kind, error) {
	switch {
	case inv.Spec.CheckOnly:
		return checkOnly, nil
	case inv.Type == installer.SetRemoteInstaller:
		return jumpHost, nil
	case inv.Type == installer.Rollback:
		return 0, installer.Fail(installer.KindInternal, "there is no recipe for %s", inv.Type)
	case inv.Spec.Script != nil:
		return script, nil
	case inv.Spec.Target == installer.TargetTelescope || inv.Spec.Target == "":
		return agent, nil
	}
	return 0, installer.Fail(installer.KindInternal, "there is no recipe for the target %q", inv.Spec.Target)
}

// Work does one attempt, from where its journal ends.
func (r *Recipe) Work(ctx context.Context, job *installer.Job) (installer.Outcome, error) {
	w, err := r.newWork(job)
	if err != nil {
		return installer.Outcome{}, err
	}
	defer w.close()
	err = w.do(ctx)
	return w.outcome, err
}
