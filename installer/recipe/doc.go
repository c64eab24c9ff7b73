// Package recipe does what an attempt does on one host: connect, probe, stage,
// run, verify, clean.
//
// It exists so that a run survives us. The script is started detached, in a
// folder of its own on the host that holds its output and its exit code; the
// journal here and that folder there together say at any moment what has been
// done. So after a broken connection, a crash or a restart the attempt goes on
// where it stood, and no script runs twice for one attempt.
//
// What runs on the host is scripts/host (around the work) and the target's own
// scripts or the user's script (the work). This package sends them, reads
// their findings as those of a hostile host, and decides.
package recipe
