package store

import (
	"bytes"
	"fmt"

	"tripod/installer"
)

// alone refuses a second RETRY or ROLLBACK of an invocation while the first
// one is open, however they came: two requests at the same time, or one that
// names it twice.
func (t *tx) alone(records []*record) error {
	type task struct {
		kind installer.Type
		of   string
	}
	asked := map[task]bool{}
	for _, r := range records {
		if r.Of == "" {
			continue
		}
		id, err := t.underWay(r)
		if err != nil {
			return err
		}
		this := task{r.Type, r.Of}
		if id != "" || asked[this] {
			return fmt.Errorf("%s of %s: %w", r.Type, r.Of, installer.ErrUnderWay)
		}
		asked[this] = true
	}
	return nil
}

// underWay finds the open invocation that does on its host what r is to do;
// empty: there is none.
func (t *tx) underWay(r *record) (string, error) {
	list := t.bucket(bList)
	pending := factsWanted(installer.Filter{State: installer.Pending, Type: r.Type})
	running := factsWanted(installer.Filter{State: installer.Running, Type: r.Type})
	for key := range t.all(bHostList, r.hostKey()) {
		facts := list.Get(append(join(r.ProjectID), stampOf(key)...))
		if !factsMatch(facts, pending) && !factsMatch(facts, running) {
			continue
		}
		id, _, _ := bytes.Cut(facts, []byte{0})
		other, err := t.load(string(id))
		if err != nil {
			return "", err
		}
		if other != nil && other.Of == r.Of {
			return other.ID, nil
		}
	}
	return "", nil
}
