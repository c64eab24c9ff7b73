// Package control is the one way of every command: routes under /tripod/v1/, and their
// client. A daemon serves them on the agent-task API's listener, with its
// authentication, limits and error bodies; whoever has a state folder serves them to
// the user of its machine. They are for what the command line needs and Cloud Eye's API
// has no words for: batches, logs, how work goes on, files, tokens.
//
// Whatever a client sends is checked as if it came from anybody: the daemon's rules
// (target addresses, host keys) hold for it.
//
//   - which routes there are: server.go
//   - how a batch travels: request.go, wire.go
//   - how work is followed: hub.go, follow.go
//   - how it is done for who follows it: ondemand.go, work.go
package control
