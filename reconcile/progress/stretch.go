package progress

import "owlatsync"

// Recall makes the teller keep what became of each row, so that a row which several stretches meet counts once. It comes before
// anything is told of a row.
func (t *Teller) Recall() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.account = newAccount()
}

// Name notes the topics that users call by a name. It comes before anything is told of a row.
func (t *Teller) Name(topics []owlatsync.NamedTopic) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.report.Topics = topics
}

// Waits tells that the run lets others have their turn, until Afresh.
func (t *Teller) Waits() {
	t.mu.Lock()
	t.state.Waiting = true
	t.mu.Unlock()
	t.tell(Waiting{t.about})
}

// Afresh tells that the run reads the source again. What is told until Accept or Drop is a draft: it counts only if it is accepted.
func (t *Teller) Afresh() {
	t.mu.Lock()
	t.account.begin()
	t.state.Stretch++
	t.state.Waiting = false
	v := Afresh{t.about, t.state.Stretch}
	t.mu.Unlock()
	t.tell(v)
}

// Meets notes that the source still has the row with that hash of its key, and returns the outcome that an earlier stretch told of
// it; empty: none.
func (t *Teller) Meets(row uint64) (before owlatsync.Outcome) {
	if t.account == nil { // it is set before rows are met
		return ""
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.account.draft == nil {
		return ""
	}
	return t.account.meet(row)
}

// Unsay takes back what the draft has told of the row with that hash of its key, because there is more to do for it. Without a draft it
// does nothing.
func (t *Teller) Unsay(row uint64) {
	if t.account == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.account.draft != nil {
		t.account.unsay(row)
	}
}

// Accept makes the draft count, because its plan is made. Without a draft it does nothing.
func (t *Teller) Accept() {
	t.mu.Lock()
	var told []RowDone
	if t.account != nil && t.account.draft != nil {
		told = t.account.accept(t.report)
	}
	t.mu.Unlock()
	for _, v := range told {
		t.tell(v)
	}
}

// Drop forgets the draft, because no plan could be made of it: the earlier stretches alone count.
func (t *Teller) Drop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.account.drop()
}

// Reached reports whether the row with that key had an outcome in the present stretch.
func (t *Teller) Reached(key string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.account.reached(key)
}
