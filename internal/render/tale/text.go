// Package tale shows the story of a row, as text for a person or as a line of JSON for machines.
package tale

import (
	"fmt"
	"strings"

	"owlatsync"
	"owlatsync/internal/explain"
	"owlatsync/internal/render"
	"owlatsync/internal/words"
	"owlatsync/ledger"
	"owlatsync/reconcile"
)

// Show tells the story of a row.
func Show(to render.To, story *explain.Tale) error {
	t := tale{story}
	if to.JSON {
		return to.Line(newTaleJSON(t))
	}
	to.Printf("%s, row %s\n", t.Sync.Name, words.Printable(t.Key))
	for _, part := range []struct {
		name  string
		lines []string
	}{
		{"first seen", t.firstSeen()},
		{"contact", t.contact()},
		{"standing", t.standing()},
		{"kept", t.kept()},
		{"in Owlat", t.inOwlat()},
		{"topics", memberships(t).topics()},
		{"events", t.events()},
		{"webhooks", news{story}.lines()},
		{"history", t.story()},
		{"in the source", t.inSource()},
		{"next run", t.next()},
	} {
		for i, line := range part.lines {
			to.Printf("  %-14s %s\n", words.FirstOnly(i, part.name), line)
		}
	}
	return nil
}

// tale says the parts of a story in words.
type tale struct{ *explain.Tale }

func (t tale) firstSeen() []string {
	if t.Entry == nil || t.Entry.FirstSeen.IsZero() {
		return []string{"not recorded: no run has applied the row yet"}
	}
	return []string{words.Clock(t.Entry.FirstSeen)}
}

// contact says which contact the row has, and what Owlat last confirmed about it.
func (t tale) contact() []string {
	e := t.Entry
	switch {
	case t.Sync.Match:
		return []string{"whoever has the address: this sync only sends events"}
	case e == nil || e.ContactID == "" && e.Origin == ledger.OriginNone:
		return []string{"none yet"}
	case e.Origin == ledger.OriginDeleted:
		return []string{"none: this sync deleted it, because the row had left the source"}
	case e.ContactID == "":
		return []string{"none"}
	}
	lines := []string{fmt.Sprintf("%s, %s", e.ContactID, originWords(e.Origin, t.Sibling)), nameWords(e.Email, e.Fields)}
	if e.Identity != "" && e.Identity != e.Email {
		lines = append(lines, fmt.Sprintf("once met as %s, which Owlat goes on refusing for other contacts", words.Printable(e.Identity)))
	}
	return lines
}

func originWords(o ledger.Origin, is explain.Sibling) string {
	switch o {
	case ledger.OriginCreated:
		return "created by this sync"
	case ledger.OriginAdopted:
		if is.Created != "" {
			return fmt.Sprintf("created by the sync %q", is.Created)
		}
		return "which was in Owlat before this sync met it"
	case ledger.OriginGone:
		return "which was deleted in Owlat"
	default:
		return string(o)
	}
}

// nameWords writes an address and the fields that are known.
func nameWords(email string, fields owlatsync.Texts) string {
	parts := []string{words.Printable(email)}
	for _, f := range owlatsync.ContactFields {
		if fields[f] != "" {
			parts = append(parts, fmt.Sprintf("%s %q", f.Name(), fields[f]))
		}
	}
	return strings.Join(parts, ", ")
}

// standing says whether the row is applied, according to the ledger.
func (t tale) standing() []string {
	e := t.Entry
	if e == nil {
		return nil
	}
	var lines []string
	for _, trouble := range reconcile.Troubles(e, t.Sync.Name, t.At) {
		if trouble.What != "row" {
			continue // topics and events tell it
		}
		lines = append(lines, fmt.Sprintf("fails since %s: %s", words.Clock(trouble.First), trouble.Reason),
			fmt.Sprintf("%s, the last at %s; next try: %s", words.Several(trouble.Attempts, "attempt", "attempts"), words.Clock(trouble.Last), render.NextTry(trouble)))
	}
	switch {
	case len(lines) > 0:
		return lines
	case t.Stranger():
		return []string{"left out: a row or a list said that no mail may go to the person, and Owlat has no contact of theirs"}
	case e.Departed != "" && e.Origin != ledger.OriginGone && e.Origin != ledger.OriginDeleted:
		since := ""
		if at := t.Left(); !at.IsZero() {
			since = " since " + words.Clock(at)
		}
		return []string{fmt.Sprintf("not in the source%s (on_missing: %s)", since, t.Sync.OnMissing)}
	case !e.Fingerprint.IsZero():
		return []string{"applied, last recorded " + words.Clock(e.ChangedAt)}
	case e.Origin == ledger.OriginGone:
		return []string{fmt.Sprintf("left alone, because the contact was deleted in Owlat (on_remote_delete: %s)", t.Sync.OnRemoteDelete)}
	case e.Origin == ledger.OriginDeleted:
		return []string{"removed"}
	case e.Origin == ledger.OriginExported:
		return []string{"written to a file for Owlat's importer " + words.Clock(e.FirstSeen) + "; no run has met its contact since"}
	}
	return []string{"not applied, or not completely; a run takes it up"}
}

// kept says which values stay as Owlat has them although the row says something else.
func (t tale) kept() (lines []string) {
	for _, k := range t.Kept() {
		lines = append(lines, fmt.Sprintf("%s, since %s", k.Says(), words.Clock(k.Since)))
	}
	return lines
}

// inOwlat says what Owlat holds now.
func (t tale) inOwlat() []string {
	switch {
	case t.Deleted():
		return []string{"the contact is not there any more"}
	case t.RemoteErr != nil:
		return []string{"not known: " + t.RemoteErr.Error()}
	case t.Remote == nil:
		return nil
	}
	if differs, kept := t.remoteDiffers(); differs != "" {
		what := "\"owlat-sync run --full\" sets it right"
		if kept {
			what = "a run keeps it (overwrite); \"owlat-sync run --full\" records it"
		}
		return []string{"changed there: " + differs, what}
	}
	return []string{"as recorded here, last changed " + words.Clock(t.Remote.UpdatedAt)}
}

func (t tale) events() []string {
	if t.Entry == nil {
		return nil
	}
	var lines []string
	for _, m := range ledger.OfEvents(t.Entry.Events) {
		switch m.State {
		case ledger.EventUnknown:
			lines = append(lines, fmt.Sprintf("%s: sent %s, and nobody knows whether it arrived; it is not sent again", m.Name, words.Clock(m.At)))
		case ledger.EventAwaited:
			lines = append(lines, fmt.Sprintf("%s: due if the update of %s took effect, which the next run looks up", m.Name, words.Clock(m.At)))
		case ledger.EventSent:
			lines = append(lines, fmt.Sprintf("%s: sent %s, the answer is not recorded", m.Name, words.Clock(m.At)))
		case ledger.EventSeen:
			lines = append(lines, fmt.Sprintf("%s: %s", m.Name, watched(m)))
		default:
			lines = append(lines, fmt.Sprintf("%s: due since %s", m.Name, words.Clock(m.At)))
		}
	}
	return lines
}

// watched says what the column said of which an event depends, and what it waits for.
func watched(m ledger.EventMark) string {
	switch {
	case m.Value == "":
		return fmt.Sprintf("waits for what the column %q says next, because the ledger is older than what was done", m.Column)
	case m.On == ledger.OnFact && m.Value == ledger.SaidNothing:
		return "is still to be sent"
	case m.On == ledger.OnFact:
		return "nothing more follows from this fact"
	case m.On == ledger.OnChanges:
		return fmt.Sprintf("waits for a change of the column %q, which says %s since %s", m.Column, words.Printable(m.Value), words.Clock(m.At))
	case m.Value == ledger.SaidYes:
		return fmt.Sprintf("the column %q says yes since %s; a no arms it again", m.Column, words.Clock(m.At))
	}
	return fmt.Sprintf("waits for a yes of the column %q, which says no since %s", m.Column, words.Clock(m.At))
}

// story tells what happened, oldest first.
func (t tale) story() []string {
	lines := make([]string, len(t.History))
	for i, h := range t.History {
		run := "outside of a run"
		if h.Run > 0 {
			run = fmt.Sprintf("run %d", h.Run)
		}
		lines[i] = fmt.Sprintf("%s  %s  %s", words.Clock(h.At), run, explain.Happened(h))
	}
	return lines
}

// inSource says what the source has for the row.
func (t tale) inSource() []string {
	switch {
	case t.Row != nil:
		var fields owlatsync.Texts
		for f, field := range t.Row.Fields {
			if text := given(field); text != nil {
				fields[f] = *text
			}
		}
		line := nameWords(words.OrElse(owlatsync.Trim(t.Row.Email.Value), "no address"), fields)
		if t.Key == "" || t.Row.Position.Unit != "row" { // the number of a row of a query says nothing: its key names it
			line = t.Row.Position.String() + ": " + line
		}
		for i, topic := range t.Sync.Topics {
			if topic.When != "" && i < len(t.Row.Consents) {
				line += fmt.Sprintf(", %s %s", topic.When, t.Row.Consents[i])
				if i < len(t.Row.Unclear) && t.Row.Unclear[i] != "" {
					line += fmt.Sprintf(" (%q is neither yes nor no)", t.Row.Unclear[i])
				}
			}
		}
		if t.Row.Defect != "" {
			line += "; " + t.Row.Defect
		}
		return []string{line}
	case t.Planned:
		return []string{"not there"}
	}
	return nil
}

func given(f owlatsync.Field) *string {
	if f.State != owlatsync.Set {
		return nil
	}
	return new(owlatsync.Trim(f.Value))
}

// next says what the next run would do with the row.
func (t tale) next() []string {
	switch {
	case t.PlanErr != nil:
		return []string{"not known, because the plan could not be made"}
	case !t.Planned:
		return nil
	}
	var lines []string
	for _, d := range t.Decisions {
		line := render.Intention(d.Outcome)
		if what := render.DecisionWords(d, t.Sync.Topics); what != "" {
			line += ": " + what
		}
		if d.Requests > 0 {
			line += fmt.Sprintf(" (%s)", words.Plural(d.Requests, "request"))
		}
		lines = append(lines, line)
	}
	switch {
	case len(lines) > 0:
	case t.Row == nil:
		return []string{fmt.Sprintf("nothing: the row is not in the source any more (on_missing: %s)", t.Sync.OnMissing)}
	default:
		return []string{"nothing, the row is in step"}
	}
	for _, hit := range t.Hits {
		if hit.Guard == owlatsync.GuardFirstRun {
			lines = append(lines, "as a first run it asks before it writes, or needs --yes")
			continue
		}
		lines = append(lines, fmt.Sprintf("but a guard would hold the run: %s: %s", hit.Guard, hit.Reason))
	}
	return lines
}

// remoteDiffers says how Owlat's contact differs from what the ledger holds, and whether all of that is kept.
func (t tale) remoteDiffers() (differs string, kept bool) {
	var parts []string
	kept = true
	differ := func(name, ledger, owlat string) {
		if ledger != owlat {
			kept = kept && t.Keeps(name, owlat)
			parts = append(parts, fmt.Sprintf("%s is %q and not %q", name, owlat, ledger))
		}
	}
	differ("address", t.Entry.Email, owlatsync.LowerAddress(t.Remote.Email))
	there := reconcile.FieldsOf(t.Remote)
	for _, f := range owlatsync.ContactFields {
		differ(f.Name(), t.Entry.Fields[f], there[f])
	}
	return strings.Join(parts, ", "), kept
}
