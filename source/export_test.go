package source

import "time"

// Age makes the connections that wait for a scan older than they are, once they are made.
func (t *Table) Age(by time.Duration) { t.backend.(*pgBackend).links.Age(by) }

// Age lets time pass for the watch.
func (w *Watch) Age(by time.Duration) {
	if !w.again.IsZero() {
		w.again = w.again.Add(-by)
	}
}
