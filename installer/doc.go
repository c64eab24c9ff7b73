// Package installer is Tripod's domain and its engine.
//
// The nouns (Host, Invocation, Batch, Step, Kind) and the rules between them
// are defined here once, so that the HTTP API, the command line and the store
// cannot disagree about them. The engine (Dispatcher) takes ready invocations
// from a Queue, has an Installer work on one host each, and stores what Next,
// a pure function, decides.
//
// The package imports the standard library and conc, nothing of Tripod's own:
// every other package points here.
package installer
