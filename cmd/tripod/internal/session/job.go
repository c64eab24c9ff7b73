package session

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"tripod/cmd/tripod/internal/exit"
	"tripod/cmd/tripod/internal/progress"
	"tripod/cmd/tripod/internal/report"
	"tripod/cmd/tripod/internal/term"
	"tripod/installer"
	"tripod/installer/control"
	"tripod/installer/plan"
)

// LimitFlags are of the commands that work on hosts, and of the daemon.
type LimitFlags struct {
	Limit []string `placeholder:"NAME=TIME" help:"Time limits for the parts of the work on a host; several: separated by commas (default: ${limits})."`
}

// Limits are those that are given; faults gets what is wrong with them.
func (f LimitFlags) Limits(faults *installer.Faults) (l installer.Limits) {
	for _, text := range f.Limit {
		if err := l.Set(text); err != nil {
			faults.Add("--limit", "%v", err)
		}
	}
	return l
}

type RunFlags struct {
	Parallel int `default:"${parallel}" help:"Number of hosts to work on at once."`
	LimitFlags
	MaxFailures string `placeholder:"N|P%" help:"Start no more hosts after this many have failed: a number, or a percentage of the batch."`
	KeepTrying  bool   `help:"Try a password on every host, even after the first hosts have refused it: accounts of a directory can lock (default: stop after ${refusals} refusals without a success)."`
}

func (f *RunFlags) failureLimit() (limit plan.FailureLimit, err error) {
	if f.MaxFailures == "" {
		return limit, nil
	}
	number, percent := strings.CutSuffix(f.MaxFailures, "%")
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || percent && n > 100 {
		return limit, exit.Usagef("--max-failures %q: must be a number from 1, or a percentage from 1%% to 100%%", f.MaxFailures)
	}
	return plan.FailureLimit{N: n, Percent: percent}, nil
}

// Job is what a command works with that has something done on hosts.
type Job struct {
	*Session
	Client *control.Client
	work   control.Work
}

// Work runs fn with a job. knownHosts is nil where no host key is decided about. What
// another process that has the folder does differently is refused, or said.
func (s *Session) Work(ctx context.Context, f RunFlags, knownHosts []string, fn func(*Job) error) error {
	workers, err := s.Parallel(f.Parallel)
	if err != nil {
		return err
	}
	var faults installer.Faults
	limits := f.Limits(&faults)
	if len(faults) > 0 {
		return faults
	}
	client, err := s.client(ctx, StateConfig{KnownHosts: knownHosts, Limits: limits})
	if err != nil {
		return err
	}
	j := &Job{Session: s, Client: client}
	if f.Parallel != installer.DefaultParallel {
		j.work.Parallel = workers
	}
	return Closing(func() error {
		if err := j.checkKnownHosts(knownHosts); err != nil {
			return err
		}
		if err := j.checkLimits(limits); err != nil {
			return err
		}
		if knownHosts != nil && client.Daemon() && j.work.Parallel != 0 {
			s.Notef("note: --parallel is ignored: the daemon has its own")
		}
		return fn(j)
	}, client.Close)
}

func (j *Job) checkKnownHosts(files []string) error {
	daemon, theirs := j.Client.Daemon(), j.Client.KnownHosts
	if daemon || len(theirs) == 0 {
		theirs = DefaultKnownHosts()
	}
	switch {
	case files == nil || slices.Equal(files, theirs):
		return nil
	case daemon:
		return exit.UsageError(errors.New("--known-hosts: the daemon uses its own known_hosts files"), "give the flag to `tripod serve`, or put the keys into the hosts file (host_key)")
	}
	return exit.UsageError(errors.New("--known-hosts: the tripod process that uses the state folder reads other known_hosts files"),
		"wait for it to end, use another --state-dir, or put the keys into the hosts file (host_key)")
}

// checkLimits refuses limits that who does the work does not have.
func (j *Job) checkLimits(l installer.Limits) error {
	switch {
	case l == (installer.Limits{}):
	case j.Client.Daemon():
		return exit.UsageError(errors.New("--limit: the daemon has its own limits"), "give the flag to `tripod serve`, or leave it out")
	case j.Client.Limits != l.String():
		return exit.UsageError(errors.New("--limit: the tripod process that uses the state folder has other limits"),
			"wait for it to end, use another --state-dir, or leave it out")
	}
	return nil
}

// Closing runs fn, then closes what it works with. A store that does not close well
// matters more than what fn says.
func Closing(fn, shut func() error) error {
	err := fn()
	if closeErr := shut(); closeErr != nil {
		return errors.Join(&exit.Error{Code: exit.Internal, Err: closeErr}, err)
	}
	return err
}

// Outcome is how the work on a batch ended.
type Outcome struct {
	control.Worked
	Interrupted bool
}

// Run has one batch, or one invocation of it, worked on until nothing is left, the user
// interrupts it or too many hosts fail.
func (j *Job) Run(ctx context.Context, what installer.ClaimFilter, maxFailures int) (how Outcome, err error) {
	j.acknowledged = what.BatchID
	f, err := j.Client.Follow(context.WithoutCancel(ctx), what.BatchID, what.InvocationID, j.noteLost)
	if err != nil {
		return how, err
	}
	work := j.work
	work.MaxFailures = maxFailures
	p := progress.New(j.Stderr, term.CanRedraw(j.Stderr.To), j.Flags.Verbose, f.Head)
	shown, stop := context.WithCancel(context.WithoutCancel(ctx))
	var printer sync.WaitGroup
	printer.Go(func() { p.Run(shown) })
	how.Worked, err = f.Work(ctx, work, p.Watch)
	stop()
	printer.Wait()
	if how.Interrupted = ctx.Err() != nil; how.Interrupted {
		j.Client.Patience = 0 // whoever interrupts does not wait for a daemon
	}
	if err != nil || how.Interrupted || !how.Daemon {
		return how, err
	}
	now, err := control.GetBatch.Call(ctx, j.Client, control.ID{ID: what.BatchID})
	how.LimitReached = control.LimitReached(now.BatchHead)
	return how, err
}

// noteLost says that the daemon cannot be asked, and that it can again. Of another
// process it is said who takes its work over.
func (j *Job) noteLost(err error) {
	switch unanswered, ok := errors.AsType[*control.Unanswered](err); {
	case !j.Client.Daemon():
	case err == nil:
		j.Notef("the daemon answers again")
	default:
		if ok {
			err = unanswered.Err
		}
		j.Notef("the daemon does not answer (%v); it continues by itself; trying again", err)
	}
}

// drop cancels what is open of a batch that nobody will resume. It dials nothing,
// since a check has left nothing behind.
func (j *Job) drop(ctx context.Context, batchID string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if _, err := control.CancelBatch.Call(ctx, j.Client, control.OfBatch{BatchID: batchID}); err != nil {
		return err
	}
	f, err := j.Client.Follow(ctx, batchID, "", func(error) {})
	if err != nil {
		return err
	}
	_, err = f.Work(ctx, control.Work{}, func(installer.Event) {})
	return err
}

// Show prints a report, and returns the error that stands for the exit code.
func (j *Job) Show(format string, how Outcome, r report.Report) error {
	if err := j.PrintMade(r.Render(format)); err != nil {
		return err
	}
	return j.verdict(r, how)
}

// SubmitAndShow submits a request for a batch, has it worked on and shows it.
func (j *Job) SubmitAndShow(ctx context.Context, format string, req plan.Request) error {
	p, err := j.Submit(ctx, req)
	if err != nil {
		return err
	}
	return j.RunAndShow(ctx, format, p, req.Spec.CheckOnly)
}

// RunAndShow has a planned batch worked on and shows it. What is left of a check is dropped.
func (j *Job) RunAndShow(ctx context.Context, format string, p control.Planned, check bool) error {
	how, err := j.Run(ctx, installer.ClaimFilter{BatchID: p.Batch.ID}, p.Limit)
	if err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx) // an interrupted run is reported too
	if check && (how.Interrupted || how.LimitReached) {
		if err := j.drop(ctx, p.Batch.ID); err != nil {
			return err
		}
	}
	invs, err := j.Client.Invocations(ctx, p.Batch.ID, "")
	if err != nil {
		return err
	}
	return j.Show(format, how, Report(ctx, j.Client, p.Batch.ID, invs))
}

func (s *Session) verdict(r report.Report, how Outcome) error {
	sum, check := r.Summary(), r.CheckOnly()
	undone := sum.Unfinished
	if check || how.Daemon && how.LimitReached {
		undone += sum.Canceled // what was left was dropped
	}
	next := func(format string, args ...any) {
		if !check {
			s.Notef(format, args...)
		}
	}
	switch {
	case how.Interrupted && undone > 0:
		s.Notef("interrupted: %d of %d hosts done, %d unfinished", sum.Total-undone, sum.Total, undone)
		switch {
		case how.Daemon:
			next("the daemon continues with them; to see the progress: %s", s.Command("status", r.BatchID))
		case how.Shared:
			next("another tripod command continues with them; to see the progress: %s", s.Command("status", r.BatchID))
		default:
			next("what runs on the hosts continues there; to resume, repeat the command, or: %s", s.Command("retry", r.Retry))
		}
		next("to cancel: %s", s.Command("cancel", r.BatchID))
		return exit.With(exit.Interrupted)
	case how.LimitReached && undone > 0: // one that the last host reaches has stopped nothing
		s.Notef("stopped by --max-failures: %d failed, %d not tried", sum.Failed+sum.Timeout, undone)
		next("to continue with all of them: %s", s.Command("retry", r.Retry))
		return exit.With(exit.Limit)
	case sum.Good() < sum.Total:
		next("details: %s; to retry what failed: %s", s.Command("logs", "INVOCATION|HOST"), s.Command("retry", r.Retry))
		return exit.With(exit.Hosts)
	}
	return nil
}
