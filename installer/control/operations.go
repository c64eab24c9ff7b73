package control

import (
	"fmt"
	"time"

	"tripod/installer"
	"tripod/installer/api"
	"tripod/installer/plan"
)

const (
	read = installer.ReadRights
	full = installer.FullRights
)

// The operations. docs/control-api.md has a table of them.
var (
	whoAmI = operation[struct{}, welcome]{name: "principal", rights: read, about: "who the caller is for the daemon, the daemon's version, and whether it is a daemon"}

	listBatches = operation[newest, []installer.BatchHead]{name: "batches", rights: read, about: "the newest `limit` ≤ 1000 (20)"}
	getBatch    = operation[id, batchNow]{name: "batches/get", rights: read, noun: "batch", about: "the batch with its state counts; `under_way`: it is being worked on; and a `cursor` of what happens from now on"}
	submitBatch = operation[plan.Request, Planned]{name: "batches/submit", rights: full, large: true,
		about: "create a batch, see [creating a batch](#creating-a-batch)"}
	planBatch = operation[plan.Request, Planned]{name: "batches/plan", rights: read, large: true, about: "what would be done, item by item; nothing is stored"}

	cancelBatch = operation[ofBatch, []string]{name: "batches/cancel", rights: full, large: true, noun: "batch", about: "cancel what is open of it, or one invocation; returns their ids"}
	followBatch = operation[followRequest, api.Stream]{name: "batches/follow", rights: read, noun: "batch",
		about: "a stream of what happens to it, or to one invocation, see [following a batch](#following-a-batch)"}
	leaveBatch = operation[followRequest, struct{}]{name: "batches/leave", rights: full, once: true, noun: "batch", about: "end the stream of the `follower` (a name chosen by the caller); answered when the work has stopped, or continues for others"}

	listInvocations = operation[installer.Filter, installer.Page]{name: "invocations", rights: read, about: "newest first, with their attempts; `limit` ≤ 500"}
	getInvocation   = operation[id, installer.Invocation]{name: "invocations/get", rights: read, noun: "invocation", about: "one"}
	getLog          = operation[id, api.Stream]{name: "invocations/log", rights: read, noun: "invocation", about: "its log, as bytes"}

	addToFile = operation[filePart, fileState]{name: "files/add", rights: full,
		about: "the next part of a file, up to 1 MiB in base64; returns how much of it the project has uploaded, where to continue; files of other projects do not count"}

	listHosts   = operation[installer.HostFilter, installer.HostPage]{name: "hosts", rights: read, about: "the host inventory, without logins; `limit` ≤ 1000"}
	addHosts    = operation[hostEntries, struct{}]{name: "hosts/add", rights: full, large: true, about: "add hosts, all or none"}
	removeHosts = operation[ids, struct{}]{name: "hosts/remove", rights: full, noun: "host", about: "remove hosts and erase their logins, all or none"}
	forgetKeys  = operation[id, int]{name: "hosts/forget-key", rights: full, about: "remove the pinned host keys of `id`, an address and port; returns how many there were"}

	unsetInstallers = operation[ids, struct{}]{name: "installers/unset", rights: full, noun: "installer",
		about: "these hosts are no longer jump hosts, all or none; the logins kept for that are erased (a host becomes one by a batch with a SET_REMOTE_INSTALLER)"}

	listPackages  = operation[ofTarget, []installer.Package]{name: "packages", rights: read, about: "the package store, of a target or all"}
	addPackage    = operation[installer.Package, struct{}]{name: "packages/add", rights: full, large: true, shared: "the package store is one for all projects", about: "an uploaded file becomes a package; it is checked again"}
	removePackage = operation[id, struct{}]{name: "packages/remove", rights: full, shared: addPackage.shared, noun: "package", about: "remove one by its SHA-256"}

	listTokens  = operation[ofProject, []installer.TokenInfo]{name: "tokens", rights: full, about: "names, not tokens"}
	addToken    = operation[grant, string]{name: "tokens/add", rights: full, once: true, about: "the token is the answer, once"}
	removeToken = operation[id, struct{}]{name: "tokens/remove", rights: full, noun: "token", about: "remove one by its name"}
	listKeys    = operation[ofProject, []installer.KeyInfo]{name: "keys", rights: full, about: "access keys, without their secret keys"}
	addKey      = operation[grant, newKey]{name: "keys/add", rights: full, once: true, about: "the secret key is in the answer, once"}
	removeKey   = operation[id, struct{}]{name: "keys/remove", rights: full, noun: "key", about: "remove one by its name"}

	listAudit   = operation[installer.AuditFilter, []installer.AuditEntry]{name: "audit", rights: full, about: "the project's entries, the oldest first; `limit` ≤ 1000"}
	verifyAudit = operation[anchors, installer.AuditReport]{name: "audit/verify", rights: full, large: true, about: "check the chain of all entries"}
	pruneAudit  = operation[before, int]{name: "audit/prune", rights: full, large: true, shared: "the audit log is one for all projects", about: "drop older entries; returns how many there were"}
)

// welcome is who the caller is taken for, and what answers.
type welcome struct {
	installer.Principal
	Version string `json:"version"`
	// Daemon: it works on everything by itself.
	Daemon     bool     `json:"daemon"`
	KnownHosts []string `json:"known_hosts,omitempty"` // see Config
}

type (
	id struct {
		ID string `json:"id"`
	}
	ids struct {
		IDs []string `json:"instance_ids"`
	}
	newest struct {
		Limit int `json:"limit,omitzero"`
	}
	ofProject struct {
		Project string `json:"project_id,omitzero"` // empty: all that the caller may see
	}
	ofTarget struct {
		Target string `json:"target,omitzero"` // empty: all
	}
	ofBatch struct {
		BatchID      string `json:"batch_id"`
		InvocationID string `json:"invocation_id,omitzero"` // only this one; empty: all
	}
	hostEntries struct {
		Hosts []installer.HostEntry `json:"hosts"`
	}
	grant struct {
		Name   string           `json:"name"`
		Rights installer.Rights `json:"rights"`
	}
	newKey struct {
		AccessKey string `json:"access_key"`
		SecretKey string `json:"secret_key"`
	}
	anchors struct {
		Anchors []installer.AuditAnchor `json:"anchors,omitzero"`
	}
	before struct {
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
	batchNow struct {
		installer.BatchHead
		UnderWay bool   `json:"under_way"`
		Cursor   uint64 `json:"cursor"`
	}
)

func (i id) String() string      { return fmt.Sprintf("%q", i.ID) }
func (i ids) String() string     { return fmt.Sprint(i.IDs) }
func (b ofBatch) String() string { return fmt.Sprintf("%q", b.BatchID) }

// followRequest is answered with a stream of progress. Where no daemon answers, the
// stream is a lease: the batch is worked on as long as somebody has one.
type followRequest struct {
	ofBatch
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
