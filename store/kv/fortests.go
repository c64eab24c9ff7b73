package kv

// What the tests of other packages need.

// Refuse makes every write fail like on a broken disk; nil: no more.
func (db *DB) Refuse(err error) {
	db.commits.mu.Lock()
	defer db.commits.mu.Unlock()
	db.commits.broken = err
}

// NoLinger makes writers wait for nobody's company.
func (db *DB) NoLinger() { db.commits.linger = 0 }

// Writers is how many may write at any moment; see AddWriters.
func (db *DB) Writers() int { return int(db.commits.writers.Load()) }
