package engine

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"time"

	"tripod/installer"
)

// How often the process may die under one invocation before it is set aside (P5):
// with no step finished in between, and in all. One that kills the process at a
// later step each time, or at the same one after another, is found by the second;
// it is the larger, because all that ran beside the guilty one counts them too.
const (
	MaxCrashes    = 3
	MaxAllCrashes = 10
)

// maxPause caps the growing pause between attempts.
const maxPause = 2 * time.Minute

// End is how an attempt ended.
type End struct {
	Outcome installer.Outcome
	// Err is what the Worker returned; nil: it succeeded.
	Err error
	// Cause is the attempt's context.Cause, or nil if the context was not done.
	Cause error
	// Steps are those that were finished since the attempt was taken up.
	Steps []installer.StepRecord
	// Crashed: nobody returned anything; the process died.
	Crashed bool
}

// Next is the only place that decides what becomes of an invocation when an
// attempt ends. It is pure: the same arguments give the same answer.
//
//	how the attempt ended                         becomes
//	no error                                      SUCCEEDED
//	the process died, and not too often           PENDING, the attempt goes on
//	the process died once more                    FAILED, internal
//	shutdown, and nothing definite is known       PENDING, the attempt goes on
//	canceled, and the host confirms it            CANCELED
//	canceled, but the host cannot be reached      TIMEOUT, lost-contact
//	a kind that a retry may help, tries left      PENDING, again after a pause
//	a time limit on the host, or fate unknown     TIMEOUT
//	anything else                                 FAILED
//
// Where a script may still run on the host, FAILED and CANCELED are not known to
// be so (P4): it becomes TIMEOUT, lost-contact.
func Next(inv *installer.Invocation, end End, now time.Time) installer.Transition {
	steps := stepsSoFar(inv, end.Steps)
	may := mayStillRun(inv, steps)
	t := installer.Transition{EndAttempt: true, At: now}
	if end.Crashed {
		return afterCrash(inv, t, steps, may)
	}
	if end.Err == nil {
		t.State, t.Message = installer.Succeeded, end.Outcome.Message
		t.Outcome = outcomeOf(inv, end.Outcome, steps, false)
		t.Outcome.Changed = t.Outcome.Changed || inv.Changed
		return t
	}

	failure := installer.FailureOf(end.Err)
	info := failure.Kind.Info()
	canceled := errors.Is(end.Cause, installer.ErrCanceled)
	t.Kind, t.Message, t.MayRun = failure.Kind, failure.Detail, may
	t.Outcome = outcomeOf(inv, end.Outcome, steps, may)
	switch {
	case interrupted(end, info):
		return installer.Transition{State: installer.Pending, At: now, NotBefore: dueAgain(inv, now)}
	case canceled && failure.Kind != installer.KindLostContact:
		t.State, t.Kind, t.Message = installer.Canceled, installer.KindCanceled, installer.ErrCanceled.Error()
		if may {
			fateUnknown(&t, string(failure.Kind)+": "+failure.Detail)
		}
	case !canceled && len(inv.Attempts) < tries(info, may):
		t.State, t.NotBefore = installer.Pending, now.Add(pause(inv, info))
	default:
		t.State = info.End()
		if may && !info.Unknown {
			fateUnknown(&t, string(failure.Kind)+": "+failure.Detail)
		}
	}
	return t
}

// tries is how many attempts there are in all. Where a script may still run, its
// host is looked for as often as after contact was lost, unless a retry does harm.
func tries(info installer.KindInfo, may bool) int {
	if may && info.Tries > 1 {
		return max(info.Tries, installer.KindLostContact.Info().Tries)
	}
	return info.Tries
}

// fateUnknown makes t the end of an invocation whose script may still run.
func fateUnknown(t *installer.Transition, why string) {
	t.State, t.Kind = installer.Timeout, installer.KindLostContact
	t.Message = "its script may still run on the host: " + why
}

// interrupted tells a shutdown from a verdict that happened to arrive with it:
// a rejected password stays rejected, or the restart would offer it again.
func interrupted(end End, info installer.KindInfo) bool {
	return errors.Is(end.Err, installer.ErrShutdown) ||
		errors.Is(end.Cause, installer.ErrShutdown) && (info.Tries > 1 || errors.Is(end.Err, context.Canceled))
}

// dueAgain keeps the place in the queue of an attempt that was interrupted, before
// whatever waits for this host: its script may still run there, and would turn away
// any other.
func dueAgain(inv *installer.Invocation, now time.Time) time.Time {
	if inv.Created.IsZero() || inv.Created.After(now) {
		return now
	}
	return inv.Created
}

func afterCrash(inv *installer.Invocation, t installer.Transition, steps []installer.StepRecord, may bool) installer.Transition {
	t.Crashed = true
	died := 0
	switch {
	case inv.Crashes+1 >= MaxCrashes:
		died = inv.Crashes + 1
	case inv.AllCrashes+1 >= MaxAllCrashes:
		died = inv.AllCrashes + 1
	default:
		t.State, t.EndAttempt, t.NotBefore = installer.Pending, false, dueAgain(inv, t.At)
		return t
	}
	t.MayRun, t.Outcome = may, outcomeOf(inv, installer.Outcome{}, steps, may)
	t.State, t.Kind = installer.Failed, installer.KindInternal
	t.Message = fmt.Sprintf("tripod died %d times while working on this host; set aside", died)
	if may {
		fateUnknown(&t, t.Message)
	}
	return t
}

// pause doubles with each attempt, with ±25 % of jitter that is a function of
// the invocation, so that a fleet does not come back in step.
func pause(inv *installer.Invocation, info installer.KindInfo) time.Duration {
	p := min(info.Pause<<min(max(0, len(inv.Attempts)-1), 10), maxPause)
	h := fnv.New32a()
	_, _ = fmt.Fprintf(h, "%s/%d", inv.ID, len(inv.Attempts))
	spread := float64(h.Sum32())/float64(1<<32) - 0.5 // [-0.5, 0.5)
	return p + time.Duration(spread*0.5*float64(p))
}
