// Package intern remembers the numbers under which the ledger's file keeps texts that recur.
package intern

// Numbers are the numbers of texts of one kind. A transaction sees those that it adds, and Commit or Rollback ends it. The zero value
// has none. It is not safe for concurrent use.
type Numbers[K comparable] struct{ kept, fresh map[K]int64 }

// Of returns the number of a text. If it is not known, find looks it up or makes it.
func (n *Numbers[K]) Of(text K, find func() (int64, error)) (int64, error) {
	if id, ok := n.kept[text]; ok {
		return id, nil
	}
	if id, ok := n.fresh[text]; ok {
		return id, nil
	}
	id, err := find()
	if err != nil {
		return 0, err
	}
	if n.fresh == nil {
		n.fresh = make(map[K]int64)
	}
	n.fresh[text] = id
	return id, nil
}

// Has reports whether the number of a text is known.
func (n *Numbers[K]) Has(text K) bool {
	_, kept := n.kept[text]
	_, fresh := n.fresh[text]
	return kept || fresh
}

// Commit keeps what the transaction added.
func (n *Numbers[K]) Commit() {
	if n.kept == nil {
		n.kept = make(map[K]int64)
	}
	for text, id := range n.fresh {
		n.kept[text] = id
	}
	clear(n.fresh)
}

// Rollback forgets what the transaction added.
func (n *Numbers[K]) Rollback() { clear(n.fresh) }
