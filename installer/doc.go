// Package installer is Tripod's domain: the nouns (Host, Invocation, Batch, Step, Kind)
// and the rules between them, defined once, so that the HTTP API, the command line and
// the store cannot disagree about them. It imports the standard library only: every
// other package points here.
package installer
