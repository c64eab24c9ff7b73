// Package control has the HTTP routes that Tripod's own command line uses, under
// /tripod/v1/, and their client. It exists so that every command works in one way,
// whether a daemon, another process on this machine or the command itself holds the
// state. The routes are for what Cloud Eye's API does not cover: batches, following of
// work, logs, files, the host inventory, packages, tokens.
//
// Every client is untrusted: the daemon's rules (target addresses, host keys) are
// checked here.
//
//   - the routes: server.go
//   - the form of a batch: request.go, wire.go
//   - following work: hub.go, follow.go
//   - working on a batch for its followers: ondemand.go, work.go
package control
