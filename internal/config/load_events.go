package config

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"time"

	"owlatsync/internal/config/internal/written"
	"owlatsync/internal/config/internal/yamltree"
	"owlatsync/ledger"
	"owlatsync/reconcile"
	"owlatsync/reconcile/policy"
)

// fire is the word for events that what rows say already makes due.
const fire = "fire"

// match is the word for syncs that only send events.
const match = "match"

// maxProperties is the most properties of an event that Owlat takes.
const maxProperties = 1024

// Event is an event that a row sends to Owlat.
type Event struct {
	Name       string
	On         ledger.EventOn
	Column     string     // of "when" and "changes"
	From, To   []string   // of "changes": the values between which it changes; empty: any
	Existing   bool       // what rows say already fires, too
	Properties []Property // in the order of the file
}

// Property is a property of an event: a column of the row, or a value that is the same in every event.
type Property struct {
	Name   string
	Column string
	Value  json.RawMessage // a text, a number, true or false; nil: the column's
}

// propertyName is ASCII that begins with neither "$" nor "_".
var propertyName = regexp.MustCompile(`^[ -#%-^` + "`" + `-~][ -~]*$`)

func (d policyDecoder) event(n *yamltree.Node, path string, sync *Sync) {
	s := sectionOf[written.Event](d.decoder, n, path)
	name := s.text("name")
	if d.required(name, "it is what automations in Owlat wait for, such as user_synced") && !policy.ValidEventName(name.text) {
		name.refuse(d.decoder, "%q cannot be the name of an event: it is a letter, then at most 99 letters, digits, \"_\" and \"-\"", name.text)
	}
	ev := Event{Name: name.text}
	if sync.Facts {
		d.noMoment(s)
		ev.On, ev.Column = ledger.OnFact, sync.FactTime
	} else {
		d.moment(s, &ev)
	}
	twice := func(other Event) bool { return other.Name == ev.Name && other.On == ev.On && other.Column == ev.Column }
	if name.given && ev.On != "" && slices.ContainsFunc(sync.Events, twice) {
		d.add(s.node.Line, path, "the event %s on %s is listed twice in this sync", ev.Name, strings.TrimSpace(string(ev.On)+" "+ev.Column))
	}
	d.properties(s.child("properties"), setting(path, "properties"), &ev)
	sync.Events = append(sync.Events, ev)
}

// moment reads when an event is sent.
func (d policyDecoder) moment(s section, ev *Event) {
	on, existing := s.text("on"), s.text("existing")
	wrong := on.wrong
	if on.given {
		ev.On = ledger.EventOn(d.oneOf(on, string(ledger.OnCreated), string(ledger.OnUpdated), string(ledger.OnAppears)))
	}
	for _, of := range []ledger.EventOn{ledger.OnWhen, ledger.OnChanges} {
		v := s.text(string(of))
		wrong = wrong || v.wrong
		switch {
		case v.given && ev.On != "":
			v.refuse(d.decoder, "cannot stand beside another moment: an event has one of on, when and changes")
		case v.given:
			ev.On, ev.Column = of, v.text
		}
	}
	if ev.On == "" && !wrong {
		d.required(on, "say when it is sent: created, updated or appears; or name a column in its place, as \"when\" or \"changes\"")
	}
	ev.From, ev.To = d.ends(s, "from", ev.On), d.ends(s, "to", ev.On)
	ev.Existing = d.oneOf(existing, string(reconcile.ExistingSkip), fire) == fire
	switch {
	case existing.given && !ev.On.Watches() && ev.On != "":
		existing.refuse(d.decoder, "means nothing without \"when\" or \"changes\"")
	case ev.Existing && len(ev.From) > 0:
		existing.refuse(d.decoder, "cannot fire beside \"from\": nobody knows what the column said before")
	}
}

// noMoment reports what says of an event of facts when it is sent.
func (d policyDecoder) noMoment(s section) {
	for _, key := range []string{"on", "when", "changes", "from", "to", "existing"} {
		if n := s.child(key); n != nil {
			d.add(n.Line, setting(s.path, key), "means nothing beside \"facts\": each fact sends the event once; remove it")
		}
	}
}

// facts reads whether rows are things that happened.
func (d policyDecoder) facts(s section, sync *Sync) {
	n := s.child("facts")
	if sync.Facts = n != nil; !sync.Facts {
		return
	}
	facts := sectionOf[written.Facts](d.decoder, n, setting(s.path, "facts"))
	at, since := facts.text("at"), facts.text("since")
	if d.required(at, "name the column that says when it happened"); sync.KeyIsAddress() {
		d.add(n.Line, facts.path, "needs a \"key\" beside it, the column that tells one fact from another")
	}
	sync.FactTime = at.text
	if !since.given {
		return
	}
	var err error
	if sync.Since, err = time.Parse(time.RFC3339, since.text); err != nil {
		if sync.Since, err = time.Parse(time.DateOnly, since.text); err != nil {
			since.refuse(d.decoder, "must be a date or a time, such as 2026-11-01 or 2026-11-01T08:00:00Z")
		}
	}
}

// match reads whether the sync only sends events, and reports what such a sync cannot have.
func (d policyDecoder) match(s section, sync *Sync) {
	contacts, key, with := s.text("contacts"), "contacts", "contacts: "+match
	if sync.Match = d.oneOf(contacts, "create", match) == match; sync.Facts {
		if key, with = "facts", "facts"; contacts.given && !sync.Match {
			contacts.refuse(d.decoder, "cannot be create beside facts, which create no contact; remove it")
		}
		sync.Match = true
	}
	if !sync.Match {
		return
	}
	for _, key := range []string{"topics", "suppressed", "nulls", "on_missing", "on_remote_delete"} {
		if n := s.child(key); n != nil {
			d.add(n.Line, setting(s.path, key), "means nothing with %s, which creates and changes no contact; remove it", with)
		}
	}
	fields, _ := s.node.Get("fields")
	if fields != nil && len(fields.Pairs) > 1 {
		d.add(fields.Line, setting(s.path, "fields"), "names more than the address; with %s nothing else is needed, and columns for events stand in events", with)
	}
	if len(sync.Events) == 0 {
		d.add(s.child(key).Line, setting(s.path, key), "has nothing to do without \"events\"")
	}
	for i, ev := range sync.Events {
		if ev.On != "" && !ev.On.Watches() {
			d.add(s.list("events")[i].Line, itemOf(s.path, "events", i), "is on %s, which happens in no sync with contacts: match; name a column in its place, as \"when\" or \"changes\"", ev.On)
		}
	}
}

// ends reads values from which or to which a column must change.
func (d policyDecoder) ends(s section, key string, on ledger.EventOn) (texts []string) {
	for _, v := range s.textOrList(key, yamltree.Bool) {
		if texts = append(texts, v.text); on != ledger.OnChanges {
			v.refuse(d.decoder, "means nothing without \"changes\", the column that changes")
		}
	}
	return texts
}

// properties reads a section whose keys are names that the user chose.
func (d policyDecoder) properties(n *yamltree.Node, path string, ev *Event) {
	switch {
	case n == nil || n.Kind == yamltree.Null:
		return
	case n.Kind != yamltree.Mapping:
		d.add(n.Line, path, "must be a section with a column for each property, such as {plan: plan_name}, not %s", n.Kind)
		return
	case len(n.Pairs) > maxProperties:
		d.add(n.Line, path, "has %d properties; Owlat takes at most %d", len(n.Pairs), maxProperties)
	}
	for _, p := range n.Pairs {
		if !propertyName.MatchString(p.Key) {
			d.add(p.Line, path, "%q cannot be the name of a property: Owlat takes ASCII characters, of which the first is neither \"$\" nor \"_\"", p.Key)
		}
		ev.Properties = append(ev.Properties, fieldsDecoder(d).property(p, setting(path, p.Key)))
	}
}
