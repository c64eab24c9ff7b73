// Package sshconn puts x/crypto/ssh and pkg/sftp behind a small Conn.
//
// It exists so that everything that can go wrong between Tripod and an SSH
// server is met in one place: every wait has a limit of its own, every remote
// text is capped and quoted, and every error leaves as an *installer.Failure
// with a Kind. Nothing above this package looks at error texts.
//
// A Dialer connects: TCP or a channel through installers (jump hosts), then
// the handshake, the host key, the login. A Conn is the result: commands,
// uploads, a forwarding check. The limits are kept as deadlines on the
// net.Conn while connecting, and by closing the connection afterwards, because
// neither x/crypto/ssh nor pkg/sftp can be interrupted in any other way.
package sshconn
