package installer

import (
	"fmt"
	"strings"
	"time"
)

// Batch is the invocations of one request or one hosts file.
type Batch struct {
	BatchHead
	Items []Item
}

// BatchHead is what is known of a batch without its invocations.
type BatchHead struct {
	ID        string    `json:"batch_id"`
	ProjectID string    `json:"project_id"`
	Created   time.Time `json:"created"`
	// Fingerprint is equal for two submissions of the same work (hosts and spec, not
	// credentials); how the same command finds its unfinished batch.
	Fingerprint string `json:"fingerprint,omitempty"`
	// Content tells a batch that is sent again from another one under the same id:
	// a hash of all that was asked for but the logins. Empty: not known.
	Content string `json:"content,omitempty"`
	Source  string `json:"source,omitempty"` // for people: a file name, "stdin", "api"
	By      string `json:"by,omitempty"`     // who asked: a Principal's String
	// Replay answers the same request once more. Nil: no Idempotency-Key. Stored beside the head.
	Replay *Replay `json:"-"`
	// MaxFailures: once so many of its invocations have ended without success, a daemon
	// starts no new one of them. 0: no limit.
	MaxFailures int `json:"max_failures,omitempty"`

	Total   int           `json:"total"`
	Open    int           `json:"open"` // that have not ended
	ByState map[State]int `json:"by_state"`
}

// Replay is what was answered to a request that had an Idempotency-Key.
type Replay struct {
	Key    string    `json:"key"`    // 1–255 printable ASCII characters
	Body   string    `json:"body"`   // SHA-256 of the request's body, hex
	Answer []byte    `json:"answer"` // the body of the answer
	At     time.Time `json:"at"`
}

// Item is one invocation with the credentials to be sealed.
type Item struct {
	Invocation  Invocation
	Credentials Credentials
}

// Fault is one thing wrong with an input. It never holds the value of a secret.
type Fault struct {
	Where string `json:"where"` // a JSON path ("remote_install_meta[3].port") or a line ("hosts.csv:12 port")
	What  string `json:"what"`
}

func (f Fault) String() string { return f.Where + ": " + f.What }

// Faults are all that is wrong with an input, reported at once.
type Faults []Fault

func (fs Faults) Error() string {
	lines := make([]string, len(fs))
	for i, f := range fs {
		lines[i] = f.String()
	}
	return strings.Join(lines, "\n")
}

func (fs *Faults) Add(where, format string, args ...any) {
	*fs = append(*fs, Fault{where, fmt.Sprintf(format, args...)})
}

func (fs Faults) Err() error {
	if len(fs) == 0 {
		return nil
	}
	return fs
}
