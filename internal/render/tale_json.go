package render

import (
	"time"

	"owlatsync"
	"owlatsync/ledger"
	"owlatsync/reconcile"
)

// taleJSON is what "explain --json" prints for each row.
type taleJSON struct {
	Type      string          `json:"type"`
	Sync      string          `json:"sync"`
	Key       string          `json:"key"`
	FirstSeen *time.Time      `json:"first_seen,omitempty"`
	Contact   *taleContact    `json:"contact,omitempty"`
	InStep    bool            `json:"in_step"` // as far as the ledger knows
	Failures  []troubleJSON   `json:"failures"`
	Topics    []taleTopic     `json:"topics"`
	History   []taleLine      `json:"history"`
	Owlat     *taleOwlat      `json:"owlat,omitempty"`  // absent: not asked
	Source    *taleSource     `json:"source,omitempty"` // absent: not asked, or not there
	Next      []decisionJSON  `json:"next"`
	Hold      []owlatsync.Hit `json:"hold"`            // guards that would hold the next run
	Error     string          `json:"error,omitempty"` // why source and next are not known
}

type taleContact struct {
	ID        string        `json:"id,omitempty"`
	Origin    ledger.Origin `json:"origin"`
	Email     string        `json:"email,omitempty"`
	Identity  string        `json:"identity,omitempty"`
	FirstName string        `json:"firstName,omitempty"`
	LastName  string        `json:"lastName,omitempty"`
}

type taleTopic struct {
	Topic   string                 `json:"topic"`
	State   ledger.MembershipState `json:"state"`
	Consent bool                   `json:"consent"`
	At      time.Time              `json:"at"`
	Why     string                 `json:"why"`
}

type taleLine struct {
	At    time.Time `json:"at"`
	Run   int64     `json:"run,omitempty"`
	Event string    `json:"event"`
	Note  string    `json:"note,omitempty"`
}

type taleOwlat struct {
	Found     bool       `json:"found"`
	Email     string     `json:"email,omitempty"`
	FirstName string     `json:"firstName,omitempty"`
	LastName  string     `json:"lastName,omitempty"`
	UpdatedAt *time.Time `json:"updatedAt,omitempty"`
	Error     string     `json:"error,omitempty"`
}

type taleSource struct {
	Position  string  `json:"position"`
	Email     string  `json:"email"`
	FirstName *string `json:"firstName,omitempty"`
	LastName  *string `json:"lastName,omitempty"`
	Defect    string  `json:"defect,omitempty"`
}

func newTaleJSON(t tale) taleJSON {
	j := taleJSON{
		Type: "row", Sync: t.Sync.Name, Key: t.Key, Failures: []troubleJSON{}, Topics: []taleTopic{}, History: []taleLine{},
		Next: []decisionJSON{}, Hold: append([]owlatsync.Hit{}, t.Hits...),
	}
	if e := t.Entry; e != nil {
		j.FirstSeen, j.InStep = &e.FirstSeen, !e.Fingerprint.IsZero()
		j.Contact = &taleContact{e.ContactID, e.Origin, e.Email, e.Identity, e.Fields[owlatsync.FirstName], e.Fields[owlatsync.LastName]}
		for _, trouble := range reconcile.Troubles(e, t.Sync.Name) {
			j.Failures = append(j.Failures, newTroubleJSON(trouble))
		}
		for i := range e.Memberships {
			m := &e.Memberships[i]
			j.Topics = append(j.Topics, taleTopic{m.Topic, m.State, m.Consent, m.At, membershipWords(t.Sync, m)})
		}
	}
	for _, h := range t.History {
		j.History = append(j.History, taleLine{h.At, h.Run, h.Event, h.Note})
	}
	switch {
	case t.Remote != nil:
		j.Owlat = &taleOwlat{Found: true, Email: t.Remote.Email, FirstName: t.Remote.FirstName, LastName: t.Remote.LastName, UpdatedAt: &t.Remote.UpdatedAt}
	case t.Deleted():
		j.Owlat = &taleOwlat{}
	case t.RemoteErr != nil:
		j.Owlat = &taleOwlat{Error: t.RemoteErr.Error()}
	}
	if t.Row != nil {
		j.Source = &taleSource{t.Row.Position.String(), owlatsync.Trim(t.Row.Email.Value), given(t.Row.Fields[owlatsync.FirstName]), given(t.Row.Fields[owlatsync.LastName]), t.Row.Defect}
	}
	for _, d := range t.Decisions {
		j.Next = append(j.Next, newDecisionJSON(t.Sync.Name, d))
	}
	if t.PlanErr != nil {
		j.Error = t.PlanErr.Error()
	}
	return j
}
