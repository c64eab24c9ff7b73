// Package sshtest has hosts for tests, benchmarks and the demo: an SSH server
// inside the process that really executes commands. The package container has
// hosts with a real sshd, of which some have a real init system.
//
// It exists because a client of SSH servers is only as good as the servers it
// was tried on, and the interesting ones stall, drop, refuse and lie. So there
// are no mocks here: Server speaks the protocol, runs /bin/sh in a throw-away
// root folder, serves SFTP and forwards TCP, counts all that it received, and
// does at any stage what a broken or hostile server does (Fault). What it
// cannot imitate (PAM, sudo, noexec, another implementation) a container has.
//
// Commands run on this machine as the current user. The throw-away root is a
// folder, not a jail: HOME, TMPDIR and TRIPOD_ROOT point into it and SFTP does
// not leave it, but a command that names /etc means this machine's /etc.
package sshtest
