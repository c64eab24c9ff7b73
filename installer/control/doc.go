// Package control has the operations that Tripod's own command line uses, under
// /tripod/v1/, and their client. It exists so that every command works in one way,
// whether a daemon, another process on this machine or the command itself holds the
// state. They are for what Cloud Eye's API does not cover: batches, following of
// work, logs, files, the host inventory, packages, tokens.
//
// Every client is untrusted: the daemon's rules (target addresses, host keys) are
// checked here.
//
//   - the operations, for both ends: operations.go
//   - serving and calling one: operation.go, body.go, errors.go
//   - the server: server.go, handlers.go, submit.go
//   - the client: client.go
//   - following a batch and working on it: hub.go, follow.go, ondemand.go, follower.go
package control
