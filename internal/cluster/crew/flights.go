package crew

import (
	"maps"
	"slices"
	"sync"
	"time"
)

const (
	// fleeAgain is how long a node avoids a deployment that it gave away because of something that has not worked there since.
	fleeAgain = 10 * time.Minute
	// fleeSoon is how long it keeps one that has come back all the same, twice as long each time.
	fleeSoon = 20 * time.Second
	// doubtful is how long other nodes bring it nothing after a flight. Then it gets one home, and more if a run works here.
	doubtful = time.Minute
	// mostAvoided is how many of them it tells other nodes of.
	mostAvoided = 1000
)

// Flights remember which deployments a node gave away because something did not work here that may work elsewhere: the way to a source
// or to Owlat may be another. It is safe for concurrent use.
type Flights struct {
	mu     sync.Mutex
	last   map[string]map[string]flight // by deployment and reason
	latest time.Time                    // of all
	begun  bool                         // a home has begun here since the latest
	proved bool                         // a run has worked here since the latest
}

// flight is when a home was given away last because of something.
type flight struct {
	at     time.Time
	times  int  // in a row
	worked bool // it has worked here since
}

// counts reports whether what was the reason is still taken not to work here.
func (f flight) counts(now time.Time) bool { return !f.worked && now.Sub(f.at) < fleeAgain }

// may reports whether the home of a deployment is to be given away because of something, and notes that it is. What has worked in this
// very home may always be tried elsewhere. Elsewhere says that there is a node which does not avoid the deployment.
func (f *Flights) may(deployment, why string, workedHere, elsewhere bool) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	last, known := f.last[deployment][why]
	if known && !workedHere {
		switch since := now.Sub(last.at); {
		case since >= fleeAgain:
		case last.worked && since >= fleeSoon:
		case !last.worked && elsewhere && since >= fleeSoon<<min(last.times, 10):
		default:
			return false
		}
	}
	next := flight{at: now}
	if known && last.counts(now) && !workedHere {
		next.times = last.times + 1
	}
	if f.last == nil {
		f.last = make(map[string]map[string]flight)
	}
	if f.last[deployment] == nil {
		f.last[deployment] = make(map[string]flight)
	}
	f.last[deployment][why] = next
	f.latest, f.begun, f.proved = now, false, false
	return true
}

// Worked notes that a run worked here, and with it what the home of its deployment may have been given away for.
func (f *Flights) Worked(deployment string, reasons ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.proved = true
	for _, why := range reasons {
		if last, known := f.last[deployment][why]; known {
			last.worked = true
			f.last[deployment][why] = last
		}
	}
}

// Began notes that a home has begun here.
func (f *Flights) Began() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.begun = true
}

// Doubts reports whether nothing may work here at all, so that others are to have what comes.
func (f *Flights) Doubts() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	since := time.Since(f.latest)
	return !f.latest.IsZero() && !f.proved && since < fleeAgain && (f.begun || since < doubtful)
}

// Avoids reports whether the deployment is better off at another node.
func (f *Flights) Avoids(deployment string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	for _, last := range f.last[deployment] {
		if last.counts(now) {
			return true
		}
	}
	return false
}

// Avoided names in their order the deployments that are better off at another node, and forgets flights of long ago.
func (f *Flights) Avoided() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	all := []string{}
	for deployment, reasons := range f.last {
		maps.DeleteFunc(reasons, func(_ string, last flight) bool { return now.Sub(last.at) >= fleeAgain })
		if len(reasons) == 0 {
			delete(f.last, deployment)
			continue
		}
		for _, last := range reasons {
			if last.counts(now) {
				all = append(all, deployment)
				break
			}
		}
	}
	slices.Sort(all)
	return all[:min(len(all), mostAvoided)]
}
