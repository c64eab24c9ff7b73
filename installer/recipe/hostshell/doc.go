// Package hostshell runs the scripts of scripts/host over a connection: with the
// login's own rights or as root by sudo, in login shells of any kind.
//
// A Shell holds one conversation: one command on the host, whose standard input
// gets the scripts, and after them what they are to do. They answer in frames.
// So nothing of them is stored on the host. All that comes back may be hostile.
package hostshell
