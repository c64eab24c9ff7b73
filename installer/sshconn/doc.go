// Package sshconn is what can be done over one authenticated SSH connection:
// commands, uploads by SFTP or through a command, TCP forwarding. Package
// sshdial makes the connections.
//
// Every wait has a limit, every remote text is capped and quoted, and every
// error of an operation is an *installer.Failure with a Kind, so that nothing
// above looks at error texts. Neither x/crypto/ssh nor pkg/sftp can be
// interrupted: an operation that takes too long is ended by closing the
// connection.
package sshconn
