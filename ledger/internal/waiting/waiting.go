// Package waiting has the queue in which calls wait that share the next transaction of a ledger.
package waiting

import (
	"slices"
	"sync"
)

// Queue holds the calls that wait for the next transaction, in their order. The zero value is empty. It is safe for concurrent use.
type Queue[Call comparable] struct {
	mu    sync.Mutex
	calls []Call
}

// Add puts a call at the end.
func (q *Queue[Call]) Add(c Call) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.calls = append(q.calls, c)
}

// TakeAll empties the queue.
func (q *Queue[Call]) TakeAll() []Call {
	q.mu.Lock()
	defer q.mu.Unlock()
	all := q.calls
	q.calls = nil
	return all
}

// Withdraw removes a call from the queue, and reports whether it was still there.
func (q *Queue[Call]) Withdraw(c Call) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.Index(q.calls, c)
	if i < 0 {
		return false
	}
	q.calls = slices.Delete(q.calls, i, i+1)
	return true
}
