package tale

import (
	"encoding/json"
	"time"

	"owlatsync"
	"owlatsync/internal/render"
	"owlatsync/internal/words"
	"owlatsync/ledger"
	"owlatsync/reconcile"
	"owlatsync/reconcile/members"
)

// taleJSON is what "explain --json" prints for each row.
type taleJSON struct {
	Type      string          `json:"type"`
	Sync      string          `json:"sync"`
	Key       string          `json:"key"`
	FirstSeen *time.Time      `json:"first_seen,omitempty"`
	Contact   words.Object    `json:"contact,omitempty"`
	InStep    bool            `json:"in_step"` // according to the ledger
	Failures  []any           `json:"failures"`
	Kept      []taleKept      `json:"kept,omitempty"` // values that stay as Owlat has them although the row says something else
	Topics    []taleTopic     `json:"topics"`
	Events    []taleEvent     `json:"events,omitempty"` // due, of unknown outcome, or waiting for a column
	History   []taleLine      `json:"history"`
	Webhooks  []taleHeard     `json:"webhooks,omitempty"`   // what Owlat's webhooks told, oldest first
	Barred    words.Object    `json:"suppressed,omitempty"` // why no mail may go to the address
	Owlat     words.Object    `json:"owlat,omitempty"`      // absent: not asked
	Source    words.Object    `json:"source,omitempty"`     // absent: not asked, or the source does not have the row
	Next      []any           `json:"next"`
	Hold      []owlatsync.Hit `json:"hold"`            // guards that would hold the next run
	Error     string          `json:"error,omitempty"` // why source and next are not known
}

type taleTopic struct {
	Topic   string                 `json:"topic"`
	State   ledger.MembershipState `json:"state"`
	Consent bool                   `json:"consent"`
	At      time.Time              `json:"at"`
	Asked   time.Time              `json:"asked_to_confirm,omitzero"` // when Owlat asked the person to confirm (double opt-in)
	NoMail  bool                   `json:"no_second_mail,omitempty"`  // Owlat sent no mail for the latest add
	Why     string                 `json:"why"`
	Name    string                 `json:"name,omitempty"`    // of the topic, where Owlat told it
	OnIt    *bool                  `json:"on_it,omitempty"`   // whether the contact is on the topic now; absent: not known
	Should  members.Should         `json:"should,omitempty"`  // "on", "off" or "either"; absent: on_it is not known
	Finding members.Kind           `json:"finding,omitempty"` // what "verify" would tell of it
	Told    string                 `json:"told,omitempty"`    // in words; absent: nothing
}

type taleKept struct {
	Field string              `json:"field"`
	Owlat string              `json:"owlat"`
	Row   string              `json:"row,omitempty"` // absent: an address, and the source was not asked
	Rule  owlatsync.Overwrite `json:"overwrite"`
	Why   string              `json:"why"`
	Since time.Time           `json:"since"`
}

type taleEvent struct {
	Event  string            `json:"event"`
	On     ledger.EventOn    `json:"on"`
	Column string            `json:"column,omitempty"`
	State  ledger.EventState `json:"state"`
	Value  json.RawMessage   `json:"value,omitempty"` // what the column said
	At     time.Time         `json:"at"`
}

type taleLine struct {
	At    time.Time `json:"at"`
	Run   int64     `json:"run,omitempty"`
	Event string    `json:"event"`
	Note  string    `json:"note,omitempty"`
}

type taleHeard struct {
	At    time.Time `json:"at"`
	Event string    `json:"event"`
	What  string    `json:"what"`
}

func newTaleJSON(t tale) taleJSON {
	j := taleJSON{
		Type: "row", Sync: t.Sync.Name, Key: t.Key, Failures: []any{}, Topics: []taleTopic{}, History: []taleLine{},
		Next: []any{}, Hold: append([]owlatsync.Hit{}, t.Hits...),
	}
	if e := t.Entry; e != nil {
		j.FirstSeen, j.InStep = &e.FirstSeen, !e.Fingerprint.IsZero()
		j.Contact = append(words.Object{
			words.Text("id", e.ContactID), {Name: "origin", Value: e.Origin}, words.Text("created_by", t.Sibling.Created),
			words.Text("email", e.Email), words.Text("identity", e.Identity),
		}, fieldTexts(e.Fields)...)
		for _, trouble := range reconcile.Troubles(e, t.Sync.Name, t.At) {
			j.Failures = append(j.Failures, render.NewTrouble(trouble))
		}
		for i := range e.Memberships {
			m := &e.Memberships[i]
			topic := taleTopic{Topic: m.Topic, State: m.State, Consent: m.Consent, At: m.At, Asked: m.Pending, NoMail: m.Unmailed, Why: memberships(t).why(m)}
			topic.Name, topic.OnIt = memberships(t).isOn(m.Topic)
			if v, ok := t.Member(m.Topic); ok {
				topic.Should, topic.Finding, topic.Told = v.Should, v.Kind, v.Why
			}
			j.Topics = append(j.Topics, topic)
		}
	}
	for _, k := range t.Kept() {
		j.Kept = append(j.Kept, taleKept{k.Field, k.Owlat, k.Row, k.Rule, k.Why, k.Since})
	}
	if t.Entry != nil {
		for _, m := range ledger.OfEvents(t.Entry.Events) {
			j.Events = append(j.Events, taleEvent{m.Name, m.On, m.Column, m.State, json.RawMessage(m.Value), m.At})
		}
	}
	for _, h := range t.History {
		j.History = append(j.History, taleLine{h.At, h.Run, h.Event, h.Note})
	}
	for i := range t.Heard {
		j.Webhooks = append(j.Webhooks, taleHeard{t.Heard[i].At, t.Heard[i].Event, heardWords(&t.Heard[i], t.Echo(&t.Heard[i]))})
	}
	if t.Barred != nil {
		j.Barred = words.Object{{Name: "reason", Value: t.Barred.Reason}, {Name: "at", Value: t.Barred.At}}
		if !t.Barred.Told.IsZero() {
			j.Barred = append(j.Barred, words.Member{Name: "opted_out", Value: t.Barred.Told})
		}
	}
	switch {
	case t.Remote != nil:
		j.Owlat = append(words.Object{{Name: "found", Value: true}, words.Text("email", t.Remote.Email)}, fieldTexts(reconcile.FieldsOf(t.Remote))...)
		j.Owlat = append(j.Owlat, words.Member{Name: "updatedAt", Value: t.Remote.UpdatedAt})
	case t.Deleted():
		j.Owlat = words.Object{{Name: "found", Value: false}}
	case t.RemoteErr != nil:
		j.Owlat = words.Object{{Name: "found", Value: false}, words.Text("error", t.RemoteErr.Error())}
	}
	if t.Row != nil {
		j.Source = words.Object{{Name: "position", Value: t.Row.Position.String()}, {Name: "email", Value: owlatsync.Trim(t.Row.Email.Value)}}
		for _, f := range owlatsync.ContactFields {
			if text := given(t.Row.Fields[f]); text != nil {
				j.Source = append(j.Source, words.Member{Name: f.Name(), Value: *text})
			}
		}
		j.Source = append(j.Source, words.Text("defect", t.Row.Defect))
	}
	for _, d := range t.Decisions {
		j.Next = append(j.Next, render.NewRow(t.Sync.Name, d))
	}
	if t.PlanErr != nil {
		j.Error = t.PlanErr.Error()
	}
	return j
}

// fieldTexts returns the fields of a contact that are not empty.
func fieldTexts(texts owlatsync.Texts) (members words.Object) {
	for _, f := range owlatsync.ContactFields {
		members = append(members, words.Text(f.Name(), texts[f]))
	}
	return members
}
