// Package api serves the Cloud Eye agent-task API over HTTP, and has a client for it.
//
// It exists so that programs written for Cloud Eye (its SDKs, the Terraform provider)
// work against Tripod with nothing changed but the endpoint. It turns a request into a
// plan.Request and stored invocations into the API's items, and knows nothing of SSH or
// of how things are stored.
//
// What every route needs (authentication, project check, size limits, error bodies,
// logging, panics) is done once, in handler.go. The routes are one table, in routes.go.
// Limits of memory and connections: budget.go, connections.go.
//
// Where the public documentation leaves something open, the decision is in:
//   - errors.go: status and code of an error
//   - itemerrors.go: why one item of a request cannot be done
//   - idempotency.go: what a second request with the same key gets
//   - item.go: what each field of a listed invocation shows
//   - status.go: what agent-status may still say of a host
//
// docs/api.md and docs/openapi.yaml describe it for users; tests compare them with the
// code.
package api
