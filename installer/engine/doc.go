// Package engine works through ready invocations: a Dispatcher takes them from a Queue,
// has a Worker do each attempt, and stores what Next, a pure function, decides.
package engine
