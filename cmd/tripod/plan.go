package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"

	"tripod/installer"
)

// plan is what a command line came to: hosts, what to do on them, and how.
type plan struct {
	targets
	spec        installer.Spec
	maxFailures int // 0: no limit
}

// fingerprint is equal for the same work: hosts and spec, in any order of the
// hosts, without credentials.
func (p plan) fingerprint() (string, error) {
	hosts := make([]string, 0, len(p.entries))
	for _, e := range p.entries {
		raw, err := json.Marshal(e.Host)
		if err != nil {
			return "", fmt.Errorf("fingerprint of the hosts: %w", err)
		}
		hosts = append(hosts, string(raw))
	}
	slices.Sort(hosts)
	raw, err := json.Marshal(p.spec)
	if err != nil {
		return "", fmt.Errorf("fingerprint of the work: %w", err)
	}
	sum := sha256.Sum256([]byte(strings.Join(append(hosts, string(raw)), "\n")))
	return hex.EncodeToString(sum[:]), nil
}

// batch makes one invocation per host.
func (p plan) batch(now time.Time, fingerprint string) installer.Batch {
	b := newBatch(now, p.source, fingerprint)
	b.MaxFailures = p.maxFailures
	for _, e := range p.entries {
		addItem(&b, installer.Install, e.Host, p.spec, e.Credentials)
	}
	return b
}

// newBatch makes a batch without invocations. Whose it is, submit fills in.
func newBatch(now time.Time, source, fingerprint string) installer.Batch {
	return installer.Batch{BatchHead: installer.BatchHead{
		ID:          ulid.Make().String(),
		Created:     now,
		Fingerprint: fingerprint,
		Source:      source,
	}}
}

// addItem adds an invocation to b and returns it.
func addItem(b *installer.Batch, kind installer.Type, host installer.Host, spec installer.Spec, creds installer.Credentials) *installer.Invocation {
	id := ulid.Make().String()
	b.Items = append(b.Items, installer.Item{
		Invocation: installer.Invocation{
			ID: id, BatchID: b.ID, ProjectID: b.ProjectID, Type: kind,
			Host: host, Spec: spec, RunID: id,
			State: installer.Pending, Created: b.Created, Updated: b.Created,
		},
		Credentials: creds,
	})
	b.Total++
	b.Open++
	return &b.Items[len(b.Items)-1].Invocation
}
