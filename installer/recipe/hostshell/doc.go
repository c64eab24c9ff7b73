// Package hostshell runs the scripts of scripts/host over a connection: with
// the login's own rights or by sudo, in login shells of any kind. It makes the
// command lines and the text that is sent, and separates what comes back into
// findings, the output of the script that is followed, and noise. All that
// comes back may be hostile.
package hostshell
