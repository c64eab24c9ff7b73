package api

import "unicode/utf8"

// ItemCode is the error_code of one item of a well-formed request that cannot
// be done, ^invocationmgr\.[0-9]{4}$. Only the form of these codes is public;
// this table is Tripod's own.
type ItemCode string

const (
	// ItemUnknownInstance: no such instance in this project.
	ItemUnknownInstance ItemCode = "invocationmgr.0001"
	// ItemPolicyDenied: the daemon may not connect to this address.
	ItemPolicyDenied ItemCode = "invocationmgr.0002"
	// ItemCredentialMissing: no password or key is known for this host.
	ItemCredentialMissing ItemCode = "invocationmgr.0003"
	// ItemUnknownInstaller: the installer named by instance_ids is not known.
	ItemUnknownInstaller ItemCode = "invocationmgr.0004"
	// ItemInstallerCredentialMissing: no password or key is known any more for
	// the installer on the way.
	ItemInstallerCredentialMissing ItemCode = "invocationmgr.0005"
)

// itemError is why one item of a request cannot be done.
type itemError struct {
	code ItemCode
	msg  string // 1–128 characters
}

// maxItemMsg is the API's limit for an item's error_msg, in characters.
const maxItemMsg = 128

func itemFault(code ItemCode, msg string) *itemError {
	return &itemError{code, clip(msg, maxItemMsg)}
}

// clip cuts s after n characters and marks the cut.
func clip(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	r := []rune(s)
	return string(r[:n-1]) + "…"
}
