package store

import "bytes"

// What only looked at its host is stored like any other work, but is no task of
// the API's: its facts have one part more, so that lists of tasks need not
// decode it to leave it out.

const (
	factParts = 6 // of a task's
	factLook  = "look"
)

// isLook tells the facts of what only looked.
func isLook(facts []byte) bool { return bytes.Count(facts, []byte{0}) > factParts }

// markLooks brings the facts of version 2 of the schema, which did not tell looks
// from tasks, up to date.
func (t *tx) markLooks() error {
	type change struct{ key, facts []byte }
	var looks []change // what is walked is not changed meanwhile
	for _, row := range t.all(bInv, nil) {
		r := &record{}
		seq, err := readRow(row, r)
		if err != nil {
			return err
		}
		if r.seq = seq; r.Spec.CheckOnly {
			looks = append(looks, change{r.listKey(), r.facts()})
		}
	}
	for _, c := range looks {
		t.put(bList, c.key, c.facts)
	}
	return nil
}
