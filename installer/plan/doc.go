// Package plan decides what comes of a request: which hosts are meant, which package
// they get, how they are reached and with which login, what may be retried or rolled
// back, and which batch that makes. The API, the control operations and through these the
// command line ask it, so that each of these decisions is made in one place.
//
// It dials nothing, and stores nothing but the batch.
package plan
