package api

import (
	"slices"
	"unicode/utf8"

	"tripod/installer/plan"
)

// ItemCode is the error_code of one item of a well-formed request that cannot
// be done, ^invocationmgr\.[0-9]{4}$. Only the form of these codes is public;
// this table is Tripod's own.
type ItemCode string

const (
	ItemUnknownInstance            ItemCode = "invocationmgr.0001"
	ItemPolicyDenied               ItemCode = "invocationmgr.0002"
	ItemCredentialMissing          ItemCode = "invocationmgr.0003"
	ItemUnknownInstaller           ItemCode = "invocationmgr.0004"
	ItemInstallerCredentialMissing ItemCode = "invocationmgr.0005"
	ItemPackageMissing             ItemCode = "invocationmgr.0006"
	ItemUnknownInvocation          ItemCode = "invocationmgr.0007"
	ItemNotAllowed                 ItemCode = "invocationmgr.0008"
	ItemUnderWay                   ItemCode = "invocationmgr.0009"
)

// ItemCodeInfo is one row of the table of item codes.
type ItemCodeInfo struct {
	Reason  plan.Reason
	Code    ItemCode
	Meaning string
	// Hint tells the user what to do.
	Hint string
}

// itemCodes is the table, in the order of the documentation.
var itemCodes = []ItemCodeInfo{
	{plan.UnknownHost, ItemUnknownInstance, "no such instance in this project", "make the host known: `tripod hosts import`, or a REMOTE_INSTALL"},
	{plan.PolicyDenied, ItemPolicyDenied, "the daemon may not connect to this address", "allow it with `serve --target-allow`"},
	{plan.CredentialMissing, ItemCredentialMissing, "no password or key is known for this host (any more)", "send a REMOTE_INSTALL with one, import the host with one, or give the project a default key (`serve --default-key`)"},
	{plan.UnknownInstaller, ItemUnknownInstaller, "none of the installers named by `instance_ids` is a known instance of this project, or the host is reached through its installers and there is none (any more)", "make the host known first; set an installer (SET_REMOTE_INSTALLER), or import the host with its own way"},
	{plan.InstallerCredentialMissing, ItemInstallerCredentialMissing, "no password or key is known for the installer on the way (any more)", "send a REMOTE_INSTALL for it, then SET_REMOTE_INSTALLER again"},
	{plan.PackageMissing, ItemPackageMissing, "no package fits the wanted `version` or `version_type`", "add one with `tripod packages add`, or ask for another"},
	{plan.UnknownInvocation, ItemUnknownInvocation, "no such invocation in this project", "see the list of invocations"},
	{plan.NotAllowed, ItemNotAllowed, "the named invocation is in no state that allows this task, a later task changed its host, or its instance is another machine now", "see [what may be done when](tasks.md)"},
	{plan.UnderWay, ItemUnderWay, "a RETRY or ROLLBACK about the same original is under way already, or in the same request", "wait for that one; the message has its id"},
}

// ItemCodes returns the whole table, in the order of the documentation.
func ItemCodes() []ItemCodeInfo { return slices.Clone(itemCodes) }

// itemCode is the code of a plan's reason.
func itemCode(why plan.Reason) ItemCode {
	return itemCodes[slices.IndexFunc(itemCodes, func(row ItemCodeInfo) bool { return row.Reason == why })].Code
}

// maxItemMsg is the API's limit for an item's error_msg, in characters.
const maxItemMsg = 128

// clip cuts s after n characters and marks the cut.
func clip(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	r := []rune(s)
	return string(r[:n-1]) + "…"
}
