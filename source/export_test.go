package source

import "time"

// Age makes the connection that Connect makes older than it is, once it is made.
func (t *Table) Age(by time.Duration) {
	a := t.backend.(*pgBackend).ahead.Load()
	<-a.made
	a.at = a.at.Add(-by)
}
