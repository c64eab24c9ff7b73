// Package sdk holds Tripod against programs that were written for Cloud Eye:
// the official Go SDK, and the life of the Terraform provider's resource.
//
// It is a module of its own, so that the SDK is no dependency of Tripod. The
// tests build the real tripod, run `tripod serve` over a fresh state folder and
// give it real work: the hosts are in-process SSH servers (installer/sshtest)
// on which the stand-in agent (testdata/agent) is really installed, and, where
// an init system has a say, a container with a real sshd.
//
// Nothing here imports Tripod's own idea of the API: what is sent and read is
// what the SDK sends and reads, or is written down here a second time.
package sdk
