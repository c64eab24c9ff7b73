package installer

import (
	"fmt"
	"time"
)

// Action is what an audit entry is about.
type Action string

const (
	AuditRequest       Action = "request"      // work was asked for
	AuditCredentials   Action = "credentials"  // other credentials were given for open work
	AuditBegin         Action = "begin"        // work begins; written before its credentials are opened
	AuditEnd           Action = "end"          // work has ended, with its Outcome
	AuditCancel        Action = "cancel"       // open work is to end
	AuditTokenAdd      Action = "token-add"    // Subject is its name
	AuditTokenRemove   Action = "token-remove" // Subject is its name
	AuditKeyAdd        Action = "key-add"      // Subject is its name
	AuditKeyRemove     Action = "key-remove"   // Subject is its name
	AuditHostAdd       Action = "host-add"
	AuditHostRemove    Action = "host-remove"
	AuditJumpHostUnset Action = "jump-host-unset" // hosts are no longer jump hosts
	AuditHostKey       Action = "hostkey-forget"  // Subject is the place
	AuditPackageAdd    Action = "package-add"     // Subject is the package
	AuditPackageRemove Action = "package-remove"  // Subject is the package
	AuditDenied        Action = "denied"          // work on addresses that the target policy denies; Detail says how many
	AuditPrune         Action = "prune"           // older entries were dropped
)

// AuditEntry is one line of the audit log. No secret is ever in it.
type AuditEntry struct {
	Number     uint64      `json:"number"` // from 1 without a gap
	At         time.Time   `json:"at"`
	Project    string      `json:"project_id,omitempty"`
	Action     Action      `json:"action"`
	By         string      `json:"by,omitempty"` // who asked: a Principal's String
	Batch      string      `json:"batch_id,omitempty"`
	Invocation string      `json:"invocation_id,omitempty"`
	Type       Type        `json:"type,omitempty"`
	Subject    string      `json:"subject,omitempty"` // what was managed, where it is neither work nor a host
	Hosts      []AuditHost `json:"hosts,omitempty"`   // at most 100: more make several entries
	Outcome    State       `json:"outcome,omitempty"` // in which the work ended
	Kind       Kind        `json:"kind,omitempty"`    // why it failed
	Detail     string      `json:"detail,omitempty"`
	Previous   string      `json:"previous"` // the hash of the entry before, in lower-case hex
}

// AuditHost names a host and how it is reached: "root@10.0.0.1:22".
type AuditHost struct {
	ID string `json:"instance_id"`
	At string `json:"at"`
}

func AuditHostOf(h Host) AuditHost {
	at := h.HostPort()
	if h.User != "" {
		at = h.User + "@" + at
	}
	return AuditHost{h.ID, at}
}

// AuditFilter selects entries. Zero fields select all.
type AuditFilter struct {
	Project string    `json:"project_id,omitzero"`
	Since   time.Time `json:"since,omitzero"`
	After   uint64    `json:"after,omitzero"` // a Number: only later ones
	Limit   int       `json:"limit,omitzero"` // 0: all
}

// AuditAnchor is where the chain stood once. Noted elsewhere, it shows later
// whether what was there then still is.
type AuditAnchor struct {
	Number uint64 `json:"number"`
	Hash   string `json:"hash"` // lower-case hex
}

func (a AuditAnchor) String() string { return fmt.Sprintf("%d:%s", a.Number, a.Hash) }

// AuditReport is what checking the chain has found.
type AuditReport struct {
	First      uint64      `json:"first"` // more than Last where there are no entries
	Last       uint64      `json:"last"`
	Anchor     AuditAnchor `json:"anchor"` // the present end, to be noted elsewhere
	Faults     []string    `json:"faults"` // the first 100
	FaultCount int         `json:"fault_count"`
}

func (r *AuditReport) Fault(format string, args ...any) {
	if r.FaultCount++; r.FaultCount <= 100 {
		r.Faults = append(r.Faults, fmt.Sprintf(format, args...))
	}
}
