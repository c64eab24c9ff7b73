package api

import (
	"net/http"
	"slices"

	"tripod/installer/plan"
)

// Code is the API's error_code: of a request, or of one item of it.
type Code string

// The API's codes of requests.
const (
	CodeContentMissing  Code = "ces.0001"
	CodeProjectInvalid  Code = "ces.0003"
	CodePaging          Code = "ces.0006"
	CodeInternal        Code = "ces.0007"
	CodeStorage         Code = "ces.0008"
	CodeInvalidRequest  Code = "ces.0011"
	CodeURLParameter    Code = "ces.0013"
	CodeBodyInvalid     Code = "ces.0014"
	CodeUnauthenticated Code = "ces.0015"
	CodeNotFound        Code = "ces.0016"
	CodeForbidden       Code = "ces.0017"
	CodeTooLarge        Code = "APIGW.0201"
)

type CodeInfo struct {
	Status  int // HTTP status of a request's error
	Code    Code
	Meaning string
	// Reason is why one item of a well-formed request cannot be done; Hint tells the
	// user what to do then.
	Reason plan.Reason
	Hint   string
}

// Codes is every error answer that there is. The API documents no code for some HTTP
// statuses; there it is that of a related one.
var Codes = []CodeInfo{
	{Status: http.StatusBadRequest, Code: CodeContentMissing, Meaning: "the content must be specified: the body is empty, or white space alone"},
	{Status: http.StatusBadRequest, Code: CodeProjectInvalid, Meaning: "`project_id` in the path is missing or malformed"},
	{Status: http.StatusBadRequest, Code: CodePaging, Meaning: "`offset` or `limit` is out of range"},
	{Status: http.StatusBadRequest, Code: CodeInvalidRequest, Meaning: "the request is invalid: a header is malformed, or the body did not arrive whole"},
	{Status: http.StatusBadRequest, Code: CodeURLParameter, Meaning: "a URL parameter is invalid or does not exist"},
	{Status: http.StatusBadRequest, Code: CodeBodyInvalid, Meaning: "something in the body is not correct; the message names every path"},
	{Status: http.StatusUnauthorized, Code: CodeUnauthenticated, Meaning: "authentication fails or is not provided"},
	{Status: http.StatusForbidden, Code: CodeForbidden, Meaning: "not enough rights, or another project's"},
	{Status: http.StatusNotFound, Code: CodeNotFound, Meaning: "the resource does not exist"},
	{Status: http.StatusMethodNotAllowed, Code: CodeInvalidRequest, Meaning: "this method is not for this resource; see the header `Allow`"},
	{Status: http.StatusRequestTimeout, Code: CodeInvalidRequest, Meaning: "the body did not arrive in time"},
	{Status: http.StatusConflict, Code: CodeInvalidRequest, Meaning: "the `Idempotency-Key` was used for a request with another body; or the same task was asked for by somebody else just now"},
	{Status: http.StatusRequestEntityTooLarge, Code: CodeTooLarge, Meaning: "the body is over 2 MiB"},
	{Status: http.StatusUnsupportedMediaType, Code: CodeInvalidRequest, Meaning: "the body is no JSON in UTF-8, or is compressed"},
	{Status: http.StatusTooManyRequests, Code: CodeInvalidRequest, Meaning: "too many requests, no room for the request, or as much work is open as may be; see the header `Retry-After`"},
	{Status: http.StatusInternalServerError, Code: CodeInternal, Meaning: "internal service error; the daemon's log has more under the `X-Request-Id`"},
	{Status: http.StatusServiceUnavailable, Code: CodeInternal, Meaning: "the request was given up before it was answered"},
	{Status: http.StatusServiceUnavailable, Code: CodeStorage, Meaning: "the state could not be read or written (disk full, say): nothing was changed"},

	{Reason: plan.UnknownHost, Code: "invocationmgr.0001", Meaning: "no such instance in this project", Hint: "make the host known: `tripod hosts import`, or a REMOTE_INSTALL"},
	{Reason: plan.PolicyDenied, Code: "invocationmgr.0002", Meaning: "the daemon may not connect to this address", Hint: "allow it with `serve --target-allow`"},
	{Reason: plan.CredentialMissing, Code: "invocationmgr.0003", Meaning: "no password or key is known for this host (any more)", Hint: "send a REMOTE_INSTALL with one, import the host with one, or give the project a default key (`serve --default-key`)"},
	{Reason: plan.UnknownJumpHost, Code: "invocationmgr.0004", Meaning: "none of the jump hosts named by `instance_ids` is a known instance of this project, or the host is reached through its jump hosts and there is none (any more)", Hint: "make the host known first; set a jump host (SET_REMOTE_INSTALLER), or import the host with its own way"},
	{Reason: plan.JumpHostCredentialMissing, Code: "invocationmgr.0005", Meaning: "no password or key is known for the jump host on the way (any more)", Hint: "send a REMOTE_INSTALL for it, then SET_REMOTE_INSTALLER again"},
	{Reason: plan.PackageMissing, Code: "invocationmgr.0006", Meaning: "no package fits the wanted `version` or `version_type`", Hint: "add one with `tripod packages add`, or ask for another"},
	{Reason: plan.UnknownInvocation, Code: "invocationmgr.0007", Meaning: "no such invocation in this project", Hint: "see the list of invocations"},
	{Reason: plan.NotAllowed, Code: "invocationmgr.0008", Meaning: "the named invocation is in no state that allows this task, a later task changed its host, or its instance is another machine now", Hint: "see [what may be done when](tasks.md)"},
	{Reason: plan.UnderWay, Code: "invocationmgr.0009", Meaning: "a RETRY or ROLLBACK about the same original is under way already, or in the same request", Hint: "wait for that one; the message has its id"},
	{Reason: plan.SharedAgentID, Code: "invocationmgr.0010", Meaning: "the agents of several hosts of the request are given the same instance id", Hint: "give each its own (`agent.instance_id`)"},
}

func itemCode(why plan.Reason) Code {
	return Codes[slices.IndexFunc(Codes, func(row CodeInfo) bool { return row.Status == 0 && row.Reason == why })].Code
}
