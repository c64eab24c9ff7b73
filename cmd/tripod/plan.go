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
	task        installer.Type // INSTALL or UPDATE
	spec        installer.Spec
	maxFailures int // 0: no limit
	// catalogued: the packages are the catalogue's, and the user names no edition.
	catalogued bool
	// editions are those that hosts have, and packages what these hosts get, by the
	// hosts' ids.
	editions map[string]installer.Edition
	packages map[string][]installer.BlobRef
}

// specOn is the work on one host.
func (p plan) specOn(id string) installer.Spec {
	spec := p.spec
	if own, ok := p.packages[id]; ok {
		spec.Packages = own
	}
	return spec
}

// fingerprint is equal for the same work: task, hosts and spec, in any order of the
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
	sum := sha256.Sum256([]byte(strings.Join(append(hosts, string(raw), string(p.task)), "\n")))
	return hex.EncodeToString(sum[:]), nil
}

// batch makes one invocation per host.
func (p plan) batch(now time.Time, fingerprint string) installer.Batch {
	b := newBatch(now, p.source, fingerprint)
	b.MaxFailures = p.maxFailures
	for _, e := range p.entries {
		addItem(&b, installer.Invocation{Type: p.task, Host: e.Host, Spec: p.specOn(e.Host.ID)}, e.Credentials)
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

// addItem adds a new invocation to b, with an id of its own, and returns it.
func addItem(b *installer.Batch, inv installer.Invocation, creds installer.Credentials) *installer.Invocation {
	inv.ID, inv.BatchID, inv.ProjectID = ulid.Make().String(), b.ID, b.ProjectID
	if inv.RunID == "" {
		inv.RunID = inv.ID
	}
	inv.State, inv.Created, inv.Updated = installer.Pending, b.Created, b.Created
	b.Items = append(b.Items, installer.Item{Invocation: inv, Credentials: creds})
	b.Total++
	b.Open++
	return &b.Items[len(b.Items)-1].Invocation
}
