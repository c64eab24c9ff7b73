package control

import (
	"fmt"
	"time"

	"tripod/installer"
)

const (
	read = installer.ReadRights
	full = installer.FullRights
)

// The operations. docs/control-api.md has a table of them.
var (
	whoAmI = define("principal", read, "who the caller is for the daemon, the daemon's version, and whether it is a daemon",
		(*service).whoAmI)

	ListBatches = define("batches", read, "the newest `limit` ≤ 1000 (20)", (*service).batches)
	GetBatch    = define("batches/get", read, "the batch with its state counts; `under_way`: it is being worked on; "+
		"and a `cursor` of what happens from now on", (*service).batchNow, noun("batch"))
	submitBatch = define("batches/submit", full, "create a batch, see [creating a batch](#creating-a-batch)",
		(*service).submit, large)
	PlanBatch = define("batches/plan", read, "what would be done, item by item; nothing is stored",
		(*service).plan, large)
	CancelBatch = define("batches/cancel", full, "cancel what is open of it, or one invocation; returns their ids",
		(*service).cancel, noun("batch"), large)
	followBatch = define("batches/follow", read, "a stream of what happens to it, or to one invocation, "+
		"see [following a batch](#following-a-batch)", (*service).follow, noun("batch"))
	leaveBatch = define("batches/leave", full, "end the stream of the `follower` (a name chosen by the caller); "+
		"answered when the work has stopped, or continues for others", (*service).leave, noun("batch"), once)

	listInvocations = define("invocations", read, "newest first, with their attempts; `limit` ≤ 500",
		(*service).invocations)
	GetInvocation = define("invocations/get", read, "one", withID(Store.Invocation), noun("invocation"))
	getLog        = define("invocations/log", read, "its log, as bytes", withID(logOf), noun("invocation"))

	addToFile = define("files/add", full, "the next part of a file, up to 1 MiB in base64; returns how much of it the "+
		"project has uploaded, where to continue; files of other projects do not count", (*service).addToFile)

	listHosts   = define("hosts", read, "the host inventory, without logins; `limit` ≤ 1000", (*service).hosts)
	AddHosts    = define("hosts/add", full, "add hosts, all or none", (*service).addHosts, large)
	RemoveHosts = define("hosts/remove", full, "remove hosts and erase their logins, all or none",
		changeAll(Store.RemoveHosts), noun("host"))
	ForgetKeys = define("hosts/forget-key", full, "remove the pinned host keys of `id`, an address and port; "+
		"returns how many there were", (*service).forgetKeys)
	UnsetJumpHosts = define("jump-hosts/unset", full, "these hosts are no longer jump hosts, all or none; the logins kept "+
		"for that are erased (a host becomes one by a batch with a SET_REMOTE_INSTALLER)",
		changeAll(Store.UnsetInstallers), noun("jump host"))

	ListPackages = define("packages", read, "the package store, of a target or all", (*service).packages)
	// AddPackage makes a package of an archive that Client.PutBlob has sent.
	AddPackage = define("packages/add", full, "an uploaded file becomes a package; it is checked again",
		(*service).addPackage, large, shared("the package store"))
	RemovePackage = define("packages/remove", full, "remove one by its SHA-256",
		change(removePackage), noun("package"), shared("the package store"))

	ListTokens  = define("tokens", full, "names, not tokens", visible(Store.Tokens))
	AddToken    = define("tokens/add", full, "the token is the answer, once", (*service).addToken, once)
	RemoveToken = define("tokens/remove", full, "remove one by its name", change(Store.RemoveToken), noun("token"))
	ListKeys    = define("keys", full, "access keys, without their secret keys", visible(Store.Keys))
	AddKey      = define("keys/add", full, "the secret key is in the answer, once", (*service).addKey, once)
	RemoveKey   = define("keys/remove", full, "remove one by its name", change(Store.RemoveKey), noun("key"))

	ListAudit   = define("audit", full, "the project's entries, the oldest first; `limit` ≤ 1000", (*service).audit)
	VerifyAudit = define("audit/verify", full, "check the chain of all entries", (*service).verifyAudit, large)
	PruneAudit  = define("audit/prune", full, "drop older entries; returns how many there were",
		(*service).pruneAudit, large, shared("the audit log"))
)

// welcome is who the caller is taken for, and what answers.
type welcome struct {
	installer.Principal
	Version string `json:"version"`
	// Daemon: it works on everything by itself.
	Daemon     bool     `json:"daemon"`
	KnownHosts []string `json:"known_hosts,omitempty"` // see Config
	Limits     string   `json:"limits,omitempty"`      // likewise
}

type (
	ID struct {
		ID string `json:"id"`
	}
	IDs struct {
		IDs []string `json:"instance_ids"`
	}
	Newest struct {
		Limit int `json:"limit,omitzero"`
	}
	OfProject struct {
		Project string `json:"project_id,omitzero"` // empty: all that the caller may see
	}
	OfTarget struct {
		Target string `json:"target,omitzero"` // empty: all
	}
	OfBatch struct {
		BatchID      string `json:"batch_id"`
		InvocationID string `json:"invocation_id,omitzero"` // only this one; empty: all
	}
	HostEntries struct {
		Hosts []installer.HostEntry `json:"hosts"`
	}
	Grant struct {
		Name   string           `json:"name"`
		Rights installer.Rights `json:"rights"`
	}
	NewKey struct {
		AccessKey string `json:"access_key"`
		SecretKey string `json:"secret_key"`
	}
	Anchors struct {
		Anchors []installer.AuditAnchor `json:"anchors,omitzero"`
	}
	Before struct {
		Before time.Time `json:"before,omitzero"`
	}
	// filePart without data asks how much of the file is there.
	filePart struct {
		SHA256 string `json:"sha256"`
		Size   int64  `json:"size"`
		Offset int64  `json:"offset,omitzero"`
		Data   []byte `json:"data,omitzero"`
	}
	fileState struct {
		Have     int64 `json:"have"`
		Complete bool  `json:"complete"`
	}
	BatchNow struct {
		installer.BatchHead
		UnderWay bool   `json:"under_way"`
		Cursor   uint64 `json:"cursor"`
	}
)

func (i ID) String() string      { return fmt.Sprintf("%q", i.ID) }
func (i IDs) String() string     { return fmt.Sprint(i.IDs) }
func (b OfBatch) String() string { return fmt.Sprintf("%q", b.BatchID) }

// followRequest is answered with a stream of progress. Where no daemon answers, the
// stream is a lease: the batch is worked on as long as somebody has one.
type followRequest struct {
	OfBatch
	Follower    string `json:"follower"`              // a name of its own, to leave by
	After       uint64 `json:"after,omitzero"`        // a cursor; 0: from the first event that is kept
	Parallel    uint32 `json:"parallel,omitzero"`     // 0: whatever is
	MaxFailures uint32 `json:"max_failures,omitzero"` // 0: whatever is
}

// progress is one document of the stream.
type progress struct {
	// Cursor is what After is to be next.
	Cursor uint64 `json:"cursor"`
	// Missed: there were events before these that are no longer kept. The list of
	// invocations has what came of them.
	Missed bool `json:"missed,omitzero"`
	// Open counts the invocations that have not ended.
	Open   int               `json:"open"`
	Events []installer.Event `json:"events,omitzero"`
	// Daemon: it works on everything by itself.
	Daemon bool `json:"daemon,omitzero"`
	// End is how the work ended for this follower. Nil at the end of the stream: ask again.
	End *ending `json:"end,omitzero"`
}

type ending struct {
	LimitReached bool `json:"limit_reached,omitzero"` // no new host is taken
	GoesOn       bool `json:"goes_on,omitzero"`       // the follower has left, and there are others
}
