package recipe

import (
	"strings"

	"tripod/installer"
)

type action int

const (
	begin   action = iota // start the script
	restart               // remove what an earlier attempt left, then start
	attach                // follow what runs, or collect what has ended
)

type situation struct {
	run             runState
	key, invocation string // of this attempt; what it belongs to
	mayRun          bool   // a launch by this attempt may have reached the host
	lostBefore      bool   // an earlier attempt ended without knowing, and none since has looked
}

// decide is a pure function. It keeps two promises: no script runs twice for one
// attempt, and what is not known is not called failed.
//
//	on the host   started by                    what to do
//	absent        launched by this attempt      unknown: lost-contact
//	absent        no                            begin
//	staged                                      begin (the host starts it once)
//	alive         anybody's                     attach
//	exited        this attempt's                collect
//	exited        earlier attempt, lost contact collect
//	exited        RETRY's predecessor, code 0   collect
//	exited        otherwise                     restart
//	died          this attempt's                failed: rebooted, or killed from outside
//	died, fenced  earlier attempt's             restart
//	fenced        this attempt's                stopped before it began
func decide(s situation) (action, error) {
	byThisAttempt := s.run.by == s.key
	switch s.run.state {
	case "absent":
		if s.mayRun {
			return 0, installer.Fail(installer.KindLostContact,
				"the run folder no longer exists on the host: whether the script ran is not known")
		}
		return begin, nil
	case "staged":
		return begin, nil
	case "alive":
		return attach, nil
	case "exited":
		sameInvocation := strings.HasPrefix(s.run.by, s.invocation+".")
		switch {
		case byThisAttempt, sameInvocation && s.lostBefore:
			return attach, nil
		case !sameInvocation && s.run.code == 0 && s.run.killed == "":
			return attach, nil
		}
		return restart, nil
	case "died":
		if byThisAttempt {
			return 0, died(s.run)
		}
		return restart, nil
	case "fenced":
		if byThisAttempt {
			return 0, installer.Fail(installer.KindScriptTimeout, "stopped before the script began")
		}
		return restart, nil
	}
	return 0, installer.Fail(installer.KindLostContact, "the host did not report the state of the run")
}

func (w *work) decide() (action, error) {
	s := situation{run: w.found.run, key: w.key, invocation: w.inv.ID, mayRun: w.mayRun, lostBefore: w.inv.MayRun}
	if n := w.attempt.Number; n > 1 && n-2 < len(w.inv.Attempts) {
		s.lostBefore = s.lostBefore || w.inv.Attempts[n-2].Kind == installer.KindLostContact
	}
	return decide(s)
}
