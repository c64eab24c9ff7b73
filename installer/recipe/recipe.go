package recipe

import (
	"context"
	"log/slog"
	"time"

	"tripod/installer"
)

// Config configures a Recipe. Dial and Blobs are required.
type Config struct {
	Dial   Dial
	Blobs  installer.Blobs
	Limits installer.Limits // zero fields mean their defaults
	Logger *slog.Logger     // nil: nothing is logged
	// AgentSettings are added to the settings of the agent's scripts; for tests.
	AgentSettings string
}

// Recipe implements engine.Worker. Safe for concurrent use.
type Recipe struct {
	Config
	firstPause time.Duration // before the first try to reconnect
	smallFiles smallFiles
}

func New(c Config) *Recipe {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.Limits = c.Limits.WithDefaults()
	return &Recipe{Config: c, firstPause: firstPause}
}

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

type kind int

const (
	agent     kind = iota // the target's scripts and a package
	online                // the target's scripts; the host gets the agent by itself
	restore               // back to the version that is kept on the host
	remove                // to no agent
	configure             // the agent that is there gets its configuration
	script                // the user's script; its exit code is the result
	checkOnly             // connect, probe, report
	jumpHost              // SET_REMOTE_INSTALLER: can it be a jump host?
)

// brings: the agent gets there, with the configuration that the task names.
func (k kind) brings() bool { return k == agent || k == online }

// onTarget: the target's own scripts do the work, and verify judges it.
func (k kind) onTarget() bool {
	return k == agent || k == online || k == restore || k == remove || k == configure
}

func (k kind) last() installer.Step {
	if k == checkOnly || k == jumpHost {
		return installer.StepProbe
	}
	return installer.StepClean
}

func kindOf(inv *installer.Invocation) (kind, error) {
	spec, back := inv.Spec, inv.Task() == installer.Rollback
	switch {
	case spec.CheckOnly:
		return checkOnly, nil
	case inv.Task() == installer.SetRemoteInstaller:
		return jumpHost, nil
	case inv.Task() == installer.Uninstall:
		return remove, nil
	case inv.Task() == installer.Configure:
		return configure, nil
	case spec.Script != nil && !back:
		return script, nil
	case spec.Target != installer.TargetTelescope && spec.Target != "":
		return 0, installer.Fail(installer.KindInternal, "there is no recipe for the target %q", spec.Target)
	case back && spec.Restore != "":
		return restore, nil
	case back:
		return remove, nil
	case spec.Online != nil && len(spec.Packages) == 0:
		return online, nil
	}
	return agent, nil
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
