package turns

// lineup is who waits and who has the turn. It is used under the mutex of its queue.
type lineup struct {
	waiting map[string]*line // by sync
	active  map[string]*Job  // by sync: jobs that have begun, with their turn or waiting for the next
	having  *Job             // whose turn it is; nil: nobody's
	places  uint64
}

// line is what waits of one sync.
type line struct {
	requests []Request
	place    uint64
}

func (l *lineup) nextPlace() uint64 {
	l.places++
	return l.places
}

// next returns the sync that has waited longest for a run to begin, and its place; some is false if none waits.
func (l *lineup) next() (sync string, place uint64, some bool) {
	for name, w := range l.waiting {
		if l.active[name] == nil && (!some || w.place < place) {
			sync, place, some = name, w.place, true
		}
	}
	return sync, place, some
}

// nextPaused returns the job that has waited longest to go on, nil if none waits.
func (l *lineup) nextPaused() (first *Job) {
	for _, j := range l.active {
		if j.turn != nil && (first == nil || j.place < first.place) {
			first = j
		}
	}
	return first
}

// Waiting tells what waits of a sync.
type Waiting struct {
	Runs  []int64 // the numbers of queued runs, oldest first
	Any   bool    // a run will begin, with a number or without
	Going int64   // the number of the run that goes on; 0: none, or it has no number yet
	Turn  bool    // a run goes on and has its turn
	// Approves has the held runs whose plans are being applied, or will be.
	Approves []int64
}

// Waiting returns what waits of the sync.
func (q *Queue) Waiting(sync string) (w Waiting) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if l := q.waiting[sync]; l != nil {
		w.Any = true
		for _, r := range l.requests {
			if r.Run != 0 {
				w.Runs = append(w.Runs, r.Run)
			}
			if r.Approves != 0 {
				w.Approves = append(w.Approves, r.Approves)
			}
		}
	}
	if j := q.active[sync]; j != nil {
		w.Going, w.Turn = j.run, q.having == j
		if j.Approves != 0 {
			w.Approves = append(w.Approves, j.Approves)
		}
	}
	return w
}

// Busy reports whether a run goes on or waits for its turn.
func (q *Queue) Busy() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.active)+len(q.waiting) > 0
}
