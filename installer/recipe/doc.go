// Package recipe does what an attempt does on one host: connect, probe, stage, run,
// verify, clean.
//
// It exists so that a run on a host survives the connection and Tripod itself. The
// script is started detached, in a folder on the host that holds its output and exit
// code. The journal here and that folder together say at any moment what has been done.
// So after a broken connection, a crash or a restart the attempt continues, and no
// script runs twice for one attempt.
//
// What runs on the host is scripts/host (around the work) and the target's own scripts
// or the user's script (the work). This package sends them, reads their findings as
// those of a hostile host, and decides.
package recipe
