package ledger

import (
	"time"

	"owlatsync"
)

// Brief is what plots need of a run: when it was, how it ended, and what it counted.
type Brief struct {
	ID                           int64
	Status                       Status
	Started, Heartbeat, Finished time.Time // as in Run
	Counts
}

// Counts are what a run counted. Those of a run without a report are zero.
type Counts struct {
	Outcomes [10]int                 // in the order of owlatsync.Outcomes
	Requests owlatsync.RequestCounts // without those by links
}

// Of counts the rows with an outcome, 0 for one that there is not.
func (c *Counts) Of(o owlatsync.Outcome) int {
	if i, known := placeOf[o]; known {
		return c.Outcomes[i]
	}
	return 0
}

// placeOf has the places of outcomes in owlatsync.Outcomes.
var placeOf = func() map[owlatsync.Outcome]int {
	places := make(map[owlatsync.Outcome]int, len(owlatsync.Outcomes))
	for i, o := range owlatsync.Outcomes {
		places[o] = i
	}
	return places
}()

// Brief returns what plots need of the run.
func (r *Run) Brief() Brief {
	b := Brief{ID: r.ID, Status: r.Status, Started: r.Started, Heartbeat: r.Heartbeat, Finished: r.Finished}
	if r.Report != nil {
		for i, o := range owlatsync.Outcomes {
			b.Outcomes[i] = r.Report.Outcomes[o]
		}
		b.Requests, b.Requests.Links = r.Report.Requests, 0
	}
	return b
}
