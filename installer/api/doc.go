// Package api serves the Cloud Eye agent-task API over HTTP, and has a client for it.
//
// It exists so that programs written for Cloud Eye (its SDKs, the Terraform provider)
// work against Tripod with nothing changed but the endpoint. It turns a request into a
// plan.Request and stored invocations into the API's items, and knows nothing of SSH or
// of how things are stored.
//
// What every route needs (authentication, project check, size limits, error bodies,
// logging, panics) is done once, in handler.go. The routes are one table, in routes.go,
// and so are the error codes, in codes.go. docs/api.md and docs/openapi.yaml describe it
// for users; tests compare them with the code.
package api
