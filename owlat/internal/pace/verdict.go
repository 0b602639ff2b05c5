package pace

// Verdict is what the end of a request says of the server.
type Verdict int

// The verdicts.
const (
	Silent  Verdict = iota // nothing
	Passed                 // it works, and the budget had room
	Refused                // 429
	Failed                 // it does not work: a 5xx, a broken connection, no answer in time
)
