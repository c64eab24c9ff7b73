// Package api serves the Cloud Eye agent-task API over HTTP, and speaks it as
// a client.
//
// It exists so that programs written for Cloud Eye (its SDKs, the Terraform
// provider) work against Tripod with nothing changed but the endpoint. It
// turns a request into one installer.Batch and stored invocations into the
// API's items, and knows nothing of SSH or of how things are stored.
//
// Everything about HTTP that must hold for every route (authentication, the
// project check, size limits, error bodies, logging, panics) is done once, in
// handler.go; the routes are one table, in routes.go; the handlers behind them
// are a few lines each. How much memory bodies may take, and whose, is in budget.go;
// which connection makes room for which, in connections.go.
//
// What the public documentation of the API leaves open, Tripod decides; those
// decisions are written where they are made:
//   - which status and code an error has: errors.go
//   - why one item of a request cannot be done: itemerrors.go
//   - how REMOTE_INSTALL finds its way in: remoteinstall.go
//   - how a known host is reached, and with what: known.go
//   - what RETRY and ROLLBACK make of an invocation: again.go
//   - which packages a task gets: packages.go
//   - what a second request with the same key gets: idempotency.go
//   - what every field of a listed invocation shows: item.go
//   - what agent-status may still say of a host: status.go
//
// docs/api.md and docs/openapi.yaml say all of it to users; tests hold them
// against the code.
package api
