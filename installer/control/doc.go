// Package control serves Tripod's own client, and is that client: `tripod
// --server URL`. It adds routes under /tripod/v1/ to the agent-task API's
// listener, with its authentication, limits and error bodies, for what the
// command line needs and Cloud Eye's API has no words for: batches, logs, how
// work goes on, files, tokens.
//
// It exists so that every command works on a daemon as it does on the state
// folder of its own machine. Whatever a client sends is checked as if it came
// from anybody: the daemon's rules (target addresses, host keys) hold for it.
//
//   - which routes there are: routes.go
//   - how a batch travels: submission.go, wire.go
//   - how work is followed: hub.go, follow.go
package control
