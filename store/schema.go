package store

// A bucket is one of the database's top-level tables.
type bucket []byte

// Keys are strings joined by NUL and big-endian numbers, so that their order
// is the order of the lists. A stamp is time and sequence number.
var (
	bMeta     = bucket("meta")     // schema, master key check
	bInv      = bucket("inv")      // invocation → record without steps
	bSteps    = bucket("steps")    // invocation, attempt, number → step
	bActive   = bucket("active")   // invocation → its claim; RUNNING ones only
	bList     = bucket("list")     // project, stamp → what filters look at
	bHostList = bucket("hostlist") // project, host, stamp → nothing
	bBatList  = bucket("batlist")  // batch, stamp → nothing
	bHeads    = bucket("heads")    // batch → head without its counts
	bTally    = bucket("tally")    // batch → how many are in each state
	bHeadList = bucket("headlist") // project, stamp → batch
	bPrints   = bucket("prints")   // project, fingerprint, stamp → batch
	bReady    = bucket("ready")    // scope, class, stamp → invocation
	bWaiting  = bucket("waiting")  // project, host, batch, class, stamp → invocation
	bBusy     = bucket("busy")     // project, host → the invocation that runs there
	bHosts    = bucket("hosts")    // project, host → registered host
	bPlaces   = bucket("places")   // project, address and port, host → nothing
	bSetUp    = bucket("setup")    // project, host → installer
	bEpochs   = bucket("epochs")   // epoch → whose it is and since when unneeded
	bSealed   = bucket("sealed")   // epoch, invocation or host → sealed credentials
	bPins     = bucket("pins")     // project, address and port, key → when pinned
	bTokens   = bucket("tokens")   // first bytes of the hash → token
	bNames    = bucket("names")    // project, name → key of the token

	bKeys     = bucket("keys")     // access key → key, its secret key sealed
	bKeyNames = bucket("keynames") // project, name → access key
	bSeen     = bucket("seen")     // time, signature → project/access key
	bAudit    = bucket("audit")    // number → entry

	bReplays   = bucket("replays")   // project, Idempotency-Key → what was answered
	bReplayAge = bucket("replayage") // stamp → key of the replay

	bPackages = bucket("packages") // SHA-256 → package
	bSent     = bucket("sent")     // project, SHA-256 → nothing: the project has sent that file

	bChanges = bucket("changes") // project, target, address and port, number → invocation
)

var buckets = []bucket{
	bMeta, bInv, bSteps, bActive, bList, bHostList, bBatList, bHeads, bTally, bHeadList, bPrints,
	bReady, bWaiting, bBusy, bHosts, bPlaces, bSetUp, bEpochs, bSealed, bPins, bTokens, bNames, bPackages,
	bReplays, bReplayAge, bKeys, bKeyNames, bSeen, bAudit, bSent, bChanges,
}

// newer are the tables that version 1 of the schema did not have.
var newer = []bucket{bPlaces, bPackages, bReplays, bReplayAge, bKeys, bKeyNames, bSeen, bAudit, bSent, bChanges}

// checked are the buckets whose values are rows that carry a checksum.
var checked = []bucket{bInv, bSteps, bHeads, bHosts, bSetUp, bEpochs, bTokens, bReplays, bPackages, bKeys, bAudit}

// schema is the version of all this. A newer one is refused; an older one is
// brought up to it when it is opened for writing, and read as it is otherwise.
const schema = 5

var (
	keySchema = []byte("schema")
	keyMaster = []byte("master-key-check")
	keyAudit  = []byte("audit-head")
)
