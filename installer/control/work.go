package control

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"tripod/installer"
	"tripod/installer/api"
)

// wireWork asks to work on a batch for as long as the request lasts. A daemon works
// on everything by itself and answers at once.
type wireWork struct {
	Follower     string `json:"follower"` // a name of its own, to leave by
	InvocationID string `json:"invocation_id,omitempty"`
	Parallel     int    `json:"parallel,omitempty"`     // 0: whatever is
	MaxFailures  int    `json:"max_failures,omitempty"` // 0: whatever is
}

// worked is the answer when the work is over, for this follower at least.
type worked struct {
	Daemon       bool `json:"daemon,omitempty"`        // it goes on by itself
	LimitReached bool `json:"limit_reached,omitempty"` // no new host is taken
	Stopped      bool `json:"stopped,omitempty"`       // the process ends
	Left         bool `json:"left,omitempty"`
}

// stillWorked is the answer to a follower that leaves.
type stillWorked struct {
	GoesOn bool `json:"goes_on"` // others follow it
}

func (s service) workRoutes() []api.Route {
	return []api.Route{
		{Method: http.MethodPost, Pattern: root + "/batches/{batch_id}/work", Handle: s.work},
		{Method: http.MethodPost, Pattern: root + "/batches/{batch_id}/leave", Handle: s.leaveWork},
	}
}

func (s service) work(r *api.Request) (any, error) {
	what, w, err := s.followed(r)
	if err != nil {
		return nil, err
	}
	if s.OnDemand == nil {
		return worked{Daemon: true}, nil
	}
	answer, err := s.OnDemand.follow(r.Context(), what, w)
	if errors.Is(err, errEnds) {
		return worked{Stopped: true}, nil
	}
	return answer, err
}

func (s service) leaveWork(r *api.Request) (any, error) {
	what, w, err := s.followed(r)
	if err != nil {
		return nil, err
	}
	return stillWorked{s.OnDemand == nil || s.OnDemand.leave(what, w.Follower)}, nil
}

// followed reads what a request is about.
func (s service) followed(r *api.Request) (what followed, w wireWork, err error) {
	id, err := pathID(r, "batch_id")
	if err != nil {
		return what, w, err
	}
	if err := decode(r.Body, &w); err != nil {
		return what, w, err
	}
	var faults installer.Faults
	if w.Follower == "" || len(w.Follower) > installer.MaxText {
		faults.Add("follower", "must have 1 to %d characters", installer.MaxText)
	}
	if w.Parallel < 0 {
		faults.Add("parallel", "must not be negative")
	}
	if w.MaxFailures < 0 {
		faults.Add("max_failures", "must not be negative")
	}
	if err := faults.Err(); err != nil {
		return what, w, err
	}
	what = followed{r.Principal.Project, installer.ClaimFilter{BatchID: id, InvocationID: w.InvocationID}}
	_, err = s.Store.Batch(r.Context(), what.project, id)
	return what, w, err
}

// Work is how a batch is to be worked on by a process that is no daemon.
type Work struct {
	Parallel    int // 0: the usual, or as another command has it
	MaxFailures int // 0: no limit, or as another command has it
}

// Worked is how the work ended for who followed it.
type Worked struct {
	LimitReached bool
	// Daemon: it is a daemon's work. Shared: another command follows it too. Either
	// way it goes on without us.
	Daemon, Shared bool
}

// Work has the batch worked on, and tells watch what happens until all of it has
// ended, its limit of failures is reached, or ctx is done. When ctx is done, what
// nobody else follows has come to rest before Work returns.
func (f *Follower) Work(ctx context.Context, o Work, watch func(installer.Event)) (how Worked, err error) {
	w := wireWork{Follower: rand.Text(), InvocationID: f.only, Parallel: o.Parallel, MaxFailures: o.MaxFailures}
	if f.only != "" {
		w.Parallel = 0
	}
	following, stopFollowing := context.WithCancel(ctx)
	defer stopFollowing()
	asking, stopAsking := context.WithCancel(context.WithoutCancel(ctx))
	defer stopAsking()
	var answer worked
	var refused error
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		if answer, refused = f.keepAsking(asking, w); !answer.Daemon {
			stopFollowing()
		}
	}()
	err = f.Run(following, watch)
	if ctx.Err() != nil && !f.c.daemon.Load() {
		how.Shared = f.leave(context.WithoutCancel(ctx), w)
	}
	if err != nil || ctx.Err() != nil || f.over() {
		stopAsking()
	}
	<-asked
	how.Daemon, how.LimitReached = f.c.daemon.Load(), answer.LimitReached
	if err == nil && asking.Err() == nil {
		err = refused
	}
	if err == nil && !how.Daemon {
		err = f.rest(context.WithoutCancel(ctx))
	}
	return how, err
}

// askAgain is the pause before a process is asked that has just taken the folder.
const askAgain = 100 * time.Millisecond

// keepAsking asks for the work until it is over, of whichever process has the
// folder, or until ctx is done. That nobody answers is Run's to tell.
func (f *Follower) keepAsking(ctx context.Context, w wireWork) (answer worked, err error) {
	for {
		answer = worked{}
		err = f.post(ctx, "work", w, &answer)
		switch {
		case ctx.Err() != nil:
			return worked{}, ctx.Err()
		case err == nil && !answer.Stopped:
			if answer.Daemon {
				f.c.daemon.Store(true)
			}
			return answer, nil
		case err != nil && !Lost(err):
			return worked{}, plainError(err, "batch", f.Head.ID)
		}
		_ = pause(ctx, askAgain)
	}
}

// leaveLimit is how long work is waited for that is interrupted.
const leaveLimit = time.Minute

// leave reports whether others go on with the work. It returns when nobody works on
// it otherwise, and when nobody answers.
func (f *Follower) leave(ctx context.Context, w wireWork) bool {
	ctx, cancel := context.WithTimeout(ctx, leaveLimit)
	defer cancel()
	var answer stillWorked
	return f.post(ctx, "leave", w, &answer) == nil && answer.GoesOn
}

// rest tells what happened last.
func (f *Follower) rest(ctx context.Context) error {
	p, err := f.poll(ctx, f.cursor, 0)
	if err != nil {
		return err
	}
	f.tell(p.Events)
	if f.cursor = p.Cursor; p.Missed {
		return f.catchUp(ctx)
	}
	return nil
}

func (f *Follower) post(ctx context.Context, what string, body, answer any) error {
	raw, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("encode the request: %w", err)
	}
	return f.c.api.Do(ctx, api.Ask{Method: http.MethodPost, Path: f.c.path("batches", f.Head.ID, what), Body: raw}, answer)
}
