// Package sshdial makes authenticated SSH connections (sshconn.Conn): the TCP
// connection, or one forwarded by jump hosts; the handshake; the host key; the
// login. Each has a limit of its own, kept as a deadline on the net.Conn, and
// everything that can go wrong leaves as an *installer.Failure with a Kind that
// says what, and on which host.
//
// Hosts behind the same jump host share one connection to it. Where a host may
// be reached by several routes, the first jump host that works is used.
package sshdial
