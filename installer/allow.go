package installer

import (
	"cmp"
	"fmt"
	"slices"
)

// Rule is one row of the table of what may be asked for of an invocation that is there.
type Rule struct {
	Task   Type    // that is asked for: RETRY or ROLLBACK
	Of     []Type  // what the invocation does, see Invocation.Task
	States []State // it may be in
	Except []Exception
}

// Exception is a property of an invocation that forbids a task.
type Exception struct {
	What string // a part of a sentence: "it only checked"
	is   func(*Invocation) bool
}

var (
	checkedOnly    = Exception{What: "it only checked", is: func(inv *Invocation) bool { return inv.Spec.CheckOnly }}
	changedNothing = Exception{What: "it changed nothing", is: func(inv *Invocation) bool { return inv.Skipped && !inv.Changed }}
	repaired       = Exception{What: "it put back the version that was there", is: func(inv *Invocation) bool {
		return inv.CurrentVersion != "" && inv.CurrentVersion != VersionUnknown && inv.CurrentVersion == inv.TargetVersion
	}}
	ownScript     = Exception{What: "a script of your own ran, and nothing undoes that", is: func(inv *Invocation) bool { return inv.Spec.Script != nil }}
	unknownBefore = Exception{What: "the version before it is not known", is: func(inv *Invocation) bool {
		return inv.CurrentVersion == VersionUnknown || inv.Task() == Update && inv.CurrentVersion == ""
	}}
)

// rules is the table. docs/tasks.md is made from it.
var rules = []Rule{
	{
		Task:   Retry,
		Of:     []Type{Install, RemoteInstall, Update, Rollback, Uninstall, Configure, SetRemoteInstaller},
		States: []State{Failed, Timeout, Canceled},
	},
	{
		Task:   Rollback,
		Of:     []Type{Install, RemoteInstall, Update},
		States: []State{Succeeded},
		Except: []Exception{checkedOnly, changedNothing, repaired, ownScript, unknownBefore},
	},
}

// insteadOfRollback is what to do about tasks of Tripod's own, for people.
var insteadOfRollback = map[Type]string{
	Uninstall: "no copy is kept; use INSTALL with the version that you want",
	Configure: "no copy is kept; use CONFIGURE with the values that you want",
}

func Rules() []Rule { return slices.Clone(rules) }

// Allow reports whether the task RETRY or ROLLBACK may be asked for of an
// invocation: nil, or why not, in a line of at most 128 characters for people.
func Allow(task Type, of *Invocation) error {
	n := slices.IndexFunc(rules, func(r Rule) bool { return r.Task == task })
	if n < 0 {
		return fmt.Errorf("%s is not about another invocation", task)
	}
	rule := rules[n]
	switch {
	case task == Rollback && insteadOfRollback[of.Task()] != "":
		return fmt.Errorf("there is no %s of %s: %s", task, of.Task(), insteadOfRollback[of.Task()])
	case !slices.Contains(rule.Of, of.Task()):
		return fmt.Errorf("there is no %s of a %s", task, of.Task())
	case of.State == Rollbacked:
		return fmt.Errorf("no %s: it has been rolled back already", task)
	case !slices.Contains(rule.States, of.State):
		return fmt.Errorf("no %s: it is %s; possible only after %s", task, of.State, Words(rule.States))
	}
	n = slices.IndexFunc(rule.Except, func(e Exception) bool { return e.is(of) })
	if n < 0 {
		return nil
	}
	return fmt.Errorf("no %s: %s", task, rule.Except[n].What)
}

// ChangedHost reports whether an invocation that has succeeded left something else on its host than
// it found: while it is not undone, nothing before it is to be rolled back.
//
// A CONFIGURE leaves the version: what is rolled back has its own configuration.
func (inv *Invocation) ChangedHost() bool {
	switch inv.Task() {
	case Install, RemoteInstall, Update, Uninstall:
		return !checkedOnly.is(inv) && !changedNothing.is(inv) && !repaired.is(inv)
	}
	return false
}

// RetryOf is a new invocation that does once more what old did, in the run folder of old,
// so that it finds what runs there. Who submits it gives it an id, and asks Allow before.
func RetryOf(old *Invocation) Invocation {
	inv := about(Retry, old)
	inv.Spec.Task = old.Task()
	inv.RunID = cmp.Or(old.RunID, old.ID)
	// What a failed attempt left on the host is not the version before.
	inv.CurrentVersion = old.CurrentVersion
	if old.Changed {
		inv.Changed, inv.TargetVersion = true, old.TargetVersion
	}
	inv.MayRun = old.MayRun
	return inv
}

// RollbackOf is a new invocation that undoes old: it puts back the version that old found, or
// uninstalls where there was none. Who submits it gives it an id, and asks Allow before.
func RollbackOf(old *Invocation) Invocation {
	inv := about(Rollback, old)
	inv.Spec.Task = Rollback
	inv.Spec.Restore, inv.Spec.Version = old.CurrentVersion, old.CurrentVersion
	inv.Spec.Undoes = Undone{RunID: cmp.Or(old.RunID, old.ID), Version: old.TargetVersion}
	// It works with what is on the host.
	inv.Spec.RequireReporting = false
	inv.Spec.VersionType, inv.Spec.Packages, inv.Spec.Online, inv.Spec.Agent = "", nil, nil, nil
	inv.Spec.DropScript()
	return inv
}

func about(kind Type, old *Invocation) Invocation {
	return Invocation{ProjectID: old.ProjectID, Type: kind, Host: old.Host, Spec: old.Spec, Of: old.ID, State: Pending}
}
