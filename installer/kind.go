package installer

import (
	"slices"
	"time"
)

// Kind is why an attempt failed, one stable word: the same in the API's
// result_msg, on the command line, in JSON, CSV, JUnit and the documentation.
type Kind string

const (
	KindResolve           Kind = "resolve"
	KindRefused           Kind = "refused"
	KindUnreachable       Kind = "unreachable"
	KindThrottled         Kind = "throttled"
	KindHandshakeTimeout  Kind = "handshake-timeout"
	KindHandshakeFailed   Kind = "handshake-failed"
	KindHostKeyChanged    Kind = "host-key-changed"
	KindHostKeyUnknown    Kind = "host-key-unknown"
	KindAuthRejected      Kind = "auth-rejected"
	KindLoginHeldBack     Kind = "login-held-back"
	KindAuthTimeout       Kind = "auth-timeout"
	KindPasswordExpired   Kind = "password-expired"
	KindChannelDenied     Kind = "channel-denied"
	KindSudoDenied        Kind = "sudo-denied"
	KindLoginClosed       Kind = "login-closed"
	KindUnsupportedHost   Kind = "unsupported-host"
	KindNoSpace           Kind = "no-space"
	KindUploadFailed      Kind = "upload-failed"
	KindDownloadFailed    Kind = "download-failed"
	KindScriptFailed      Kind = "script-failed"
	KindScriptTimeout     Kind = "script-timeout"
	KindVerifyFailed      Kind = "verify-failed"
	KindNotReporting      Kind = "not-reporting"
	KindLostContact       Kind = "lost-contact"
	KindProtocolError     Kind = "protocol-error"
	KindStepTimeout       Kind = "step-timeout"
	KindHostBusy          Kind = "host-busy"
	KindCanceled          Kind = "canceled"
	KindPolicyDenied      Kind = "policy-denied"
	KindCredentialMissing Kind = "credential-missing"
	KindPackageMissing    Kind = "package-missing"
	KindAgentMissing      Kind = "agent-missing"
	KindNotKept           Kind = "not-kept"
	KindSuperseded        Kind = "superseded"
	KindInternal          Kind = "internal"
)

// KindInfo is one row of the table of kinds.
type KindInfo struct {
	Kind    Kind
	Step    Step          // it usually happens in
	Tries   int           // attempts in all by the engine; 1: a retry does not help, or may do harm
	Pause   time.Duration // before the second attempt; doubled for each one after that
	Unknown bool          // what happened on the host: the end is TIMEOUT, never FAILED
	Hint    string        // tells the user what to do
}

var kinds = []KindInfo{
	{KindResolve, StepConnect, 2, 5 * time.Second, false, "the host name has no address: correct it in the hosts file, or repair DNS on this machine"},
	{KindRefused, StepConnect, 2, 5 * time.Second, false, "nothing listens on that port: check the port and that sshd runs"},
	{KindUnreachable, StepConnect, 2, 5 * time.Second, false, "no answer on the network: check the address, that the host is up, the security group or firewall, and whether it needs --via"},
	{KindThrottled, StepConnect, 8, 2 * time.Second, false, "sshd drops connections (MaxStartups or PerSourcePenalties): raise them there, or lower --parallel"},
	{KindHandshakeTimeout, StepConnect, 2, 5 * time.Second, false, "the port is open but no SSH server speaks: check that it is sshd's port, and the host's load"},
	{KindHandshakeFailed, StepConnect, 1, 0, false, "no common language with the SSH server: check that the port is sshd's; servers with only outdated algorithms are refused"},
	{KindHostKeyChanged, StepConnect, 1, 0, false, "the host key is not the one pinned: if the host was rebuilt, remove its pin with `tripod hosts forget-key HOST`, and correct the host_key of its hosts file; if two hosts have this address behind different jump hosts, give each its host_key there; otherwise somebody may be in between"},
	{KindHostKeyUnknown, StepConnect, 1, 0, false, "strict host keys, and no key is known for this host: add it to known_hosts or to the hosts file, or use --host-keys accept-new"},
	{KindAuthRejected, StepConnect, 1, 0, false, "wrong user, password or key, or sshd forbids this way in (PermitRootLogin, PasswordAuthentication): try it once by hand with ssh"},
	{KindLoginHeldBack, StepConnect, 1, 0, false, "the first hosts refused this password, so it was not tried on this one: accounts lock. Correct it and use `tripod retry`; --keep-trying tries it on every host"},
	{KindAuthTimeout, StepConnect, 2, 5 * time.Second, false, "the server did not answer the login within its limit: check its PAM, LDAP and reverse DNS"},
	{KindPasswordExpired, StepConnect, 1, 0, false, "the password has expired: log in once by hand, set a new one, and put that into the hosts file"},
	{KindChannelDenied, StepConnect, 2, 5 * time.Second, false, "the server logs in but opens no session or forwarding: check MaxSessions, AllowTcpForwarding and ForceCommand in sshd_config"},
	{KindSudoDenied, StepProbe, 1, 0, false, "the host does not let the login become root: give the right --ask-sudo-pass or sudo_password, allow the user in sudoers (doas.conf), or choose another way with --become"},
	{KindLoginClosed, StepProbe, 2, 5 * time.Second, false, "user and password or key are right, but the host runs no commands for this login; the message has what it said. Cloud images want another user (such as ubuntu or ec2-user) with sudo; nologin shells and ForceCommand do this too"},
	{KindUnsupportedHost, StepProbe, 1, 0, false, "the host lacks something that is needed; the message says what"},
	{KindNoSpace, StepProbe, 1, 0, false, "no folder on the host has room for the work and allows programs to run: free some space"},
	{KindUploadFailed, StepStage, 2, 5 * time.Second, false, "the files did not arrive whole: check the disk and the network of the host"},
	{KindDownloadFailed, StepRun, 1, 0, false, "the host could not download the official installer: check --online-url, and the host's name resolution, proxy, firewall and certificates; or install from a --package"},
	{KindScriptFailed, StepRun, 1, 0, false, "read what the script said: tripod logs ID"},
	{KindScriptTimeout, StepRun, 1, 0, false, "the script ran longer than allowed and was killed: see tripod logs ID, and give it more with --timeout"},
	{KindVerifyFailed, StepVerify, 1, 0, false, "the installer ended, but the agent is not there or not healthy: see tripod logs ID"},
	{KindNotReporting, StepVerify, 1, 0, false, "the agent runs, but lacks credentials or ids and cannot report: configure it with its keys, project and instance id, or give the server an agency for Cloud Eye"},
	{KindLostContact, StepRun, 4, 5 * time.Second, true, "the connection broke and did not come back, so the outcome is not known: `tripod retry` looks at the host before it does anything"},
	{KindProtocolError, StepProbe, 2, 5 * time.Second, false, "what the host answered is not from our scripts: look for a login shell, a start-up file or a terminal message that writes between them"},
	{KindStepTimeout, StepProbe, 2, 5 * time.Second, false, "the host did not finish this step within its limit: check its load and disks"},
	{KindHostBusy, StepRun, 3, 20 * time.Second, false, "another run for this target holds the lock on the host: wait for it, or look there for a stuck one"},
	{KindCanceled, StepRun, 1, 0, false, "canceled by the user: `tripod retry` starts it again"},
	{KindPolicyDenied, StepConnect, 1, 0, false, "the daemon may not connect to this address: allow it with serve --target-allow"},
	{KindCredentialMissing, StepConnect, 1, 0, false, "no password or key is known for this host any more: submit it again with one"},
	{KindPackageMissing, StepProbe, 1, 0, false, "no package fits this host's architecture and the wanted version: add one with --package, or --online-url"},
	{KindAgentMissing, StepProbe, 1, 0, false, "there is no agent on the host to update or configure: install it with `tripod install`"},
	{KindNotKept, StepProbe, 1, 0, false, "the version to go back to is not kept on the host: put it there with `tripod update` and its package"},
	{KindSuperseded, StepConnect, 1, 0, false, "a later task changed the host and would be undone too, so nothing was done: roll the later one back first; where nothing undoes it (a script of your own), INSTALL or UPDATE to the wanted version"},
	{KindInternal, StepConnect, 1, 0, false, "this is a fault of Tripod: please report it with the message"},
}

func Kinds() []KindInfo { return slices.Clone(kinds) }

// Info returns the kind's row; that of KindInternal for an unknown word.
func (k Kind) Info() KindInfo {
	if at := slices.IndexFunc(kinds, func(row KindInfo) bool { return row.Kind == k }); at >= 0 {
		return kinds[at]
	}
	return kinds[len(kinds)-1]
}

func (k Kind) Hint() string {
	if k == "" {
		return ""
	}
	return k.Info().Hint
}

// End is the terminal state of an invocation that failed with this kind.
func (i KindInfo) End() State {
	if i.Unknown || i.Kind == KindScriptTimeout || i.Kind == KindStepTimeout {
		return Timeout
	}
	return Failed
}
