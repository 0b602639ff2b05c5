package reconcile

// SetSpoolMemory sets how many bytes of a plan the engine keeps in memory: with 0 all of it goes through the ledger.
func (e *Engine) SetSpoolMemory(bytes int) { e.spoolMemory = bytes }
