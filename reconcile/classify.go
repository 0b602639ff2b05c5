package reconcile

// Class is what a failure means for the row and the run.
type Class string

const (
	// RetryLater means that the same request may pass later: 429, 5xx, the network, and a 400 for a row that is valid here.
	RetryLater Class = "retry"
	// GiveUp means that the request would be refused again until the row changes.
	GiveUp Class = "give up"
	// StopRun means that no request with this key would pass: 401, 402, 403.
	StopRun Class = "stop"
)
