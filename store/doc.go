// Package store keeps Tripod's state on the local disk, because what has been
// acknowledged must survive kill -9, a full disk and a power cut, and because
// the passwords of a whole fleet must be unreadable once they are not needed.
//
// It implements engine.Queue, sshdial.HostKeys, Ledger and Blobs on one bbolt
// database and some files beside it, all in one folder that only its owner can
// enter:
//
//	tripod.db                        invocations, journal, indexes, pins, sealed credentials
//	tripod.lock                      locked while a process uses the folder; holds its pid
//	initialized                      the folder has been used: a missing database is a loss
//	master.key                       32 random bytes without which no other key is good for anything
//	login.keys                       a slot of 32 random bytes for each sealed login
//	logs/<batch>/<invocation>.log    what the host said
//	blobs/<sha256>                   packages and scripts
//
// # What is promised
//
// A method that changes something returns nil only after the change is on disk
// (fdatasync). Calls that come at the same time share one transaction and so
// one wait for the disk. A log is synced when it is closed, and before Finish
// commits the result it belongs to; an invocation that said nothing has no
// log file and costs nothing.
//
// Credentials are sealed with XChaCha20-Poly1305, each bound to its project,
// host and invocation, each under a key of its own (package vault). Forgetting
// one is overwriting its key's slot: rows that bbolt has deleted stay readable in
// its free pages and in copies of the database, the key does not. (On
// copy-on-write file systems and flash the old blocks may live on below the file
// system; there the disk itself must be encrypted.) A new key is on disk before
// the transaction that needs it; an old one goes after the transaction that drops
// its login, or at the next start.
//
// How long they are kept is stored with the batch, so it does not depend on who
// has the folder open.
//
// A folder that an earlier version has written in another format is refused.
//
// Errors of the disk wrap installer.ErrStorage. After one that space can cure
// the store goes on; after any other failed commit it refuses to write until
// it is opened again, because the page cache can no longer be trusted.
package store
