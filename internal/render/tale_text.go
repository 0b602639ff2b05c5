package main

import (
	"fmt"
	"strings"

	"owlatsync"
	"owlatsync/internal/config"
	"owlatsync/ledger"
	"owlatsync/reconcile"
)

// print tells the tale as text.
func (t *tale) print(a *app) {
	a.printf("%s, row %s\n", t.sync.Name, printable(t.key))
	for _, part := range []struct {
		name  string
		lines []string
	}{
		{"first seen", t.firstSeen()},
		{"contact", t.contact()},
		{"standing", t.standing()},
		{"in Owlat", t.inOwlat()},
		{"topics", t.topics()},
		{"events", t.events()},
		{"history", t.story()},
		{"in the source", t.inSource()},
		{"next run", t.next()},
	} {
		for i, line := range part.lines {
			a.printf("  %-14s %s\n", firstOnly(i, part.name), line)
		}
	}
}

func (t *tale) firstSeen() []string {
	if t.entry == nil || t.entry.FirstSeen.IsZero() {
		return []string{"not recorded: no run has applied the row yet"}
	}
	return []string{clock(t.entry.FirstSeen)}
}

// contact says which contact the row has, and what Owlat confirmed of it last.
func (t *tale) contact() []string {
	e := t.entry
	switch {
	case e == nil || e.ContactID == "" && e.Origin == ledger.OriginNone:
		return []string{"none yet"}
	case e.Origin == ledger.OriginDeleted:
		return []string{"none: this sync deleted it, because the row had left the source"}
	case e.ContactID == "":
		return []string{"none"}
	}
	lines := []string{fmt.Sprintf("%s, %s", e.ContactID, originWords(e.Origin)), nameWords(e.Email, &e.FirstName, &e.LastName)}
	if e.Identity != "" && e.Identity != e.Email {
		lines = append(lines, fmt.Sprintf("once met as %s, which Owlat goes on refusing for other contacts", printable(e.Identity)))
	}
	return lines
}

func originWords(o ledger.Origin) string {
	switch o {
	case ledger.OriginCreated:
		return "created by this sync"
	case ledger.OriginAdopted:
		return "which was in Owlat before this sync met it"
	case ledger.OriginGone:
		return "which was deleted in Owlat"
	}
	return string(o)
}

// nameWords writes an address and the names that are known.
func nameWords(email string, first, last *string) string {
	words := []string{printable(email)}
	if first != nil && *first != "" {
		words = append(words, fmt.Sprintf("firstName %q", *first))
	}
	if last != nil && *last != "" {
		words = append(words, fmt.Sprintf("lastName %q", *last))
	}
	return strings.Join(words, ", ")
}

// standing says whether the ledger takes the row for applied.
func (t *tale) standing() []string {
	e := t.entry
	if e == nil {
		return nil
	}
	var lines []string
	for _, trouble := range reconcile.Troubles(e, t.sync.Name) {
		if trouble.What != "row" {
			continue // told with its topic or event
		}
		lines = append(lines, fmt.Sprintf("fails since %s: %s", clock(trouble.First), trouble.Reason),
			fmt.Sprintf("%s, the last at %s; next try: %s", several(trouble.Attempts, "attempt", "attempts"), clock(trouble.Last), nextTry(trouble)))
	}
	switch {
	case len(lines) > 0:
		return lines
	case !e.Fingerprint.IsZero():
		return []string{"applied, last recorded " + clock(e.ChangedAt)}
	case e.Origin == ledger.OriginGone:
		return []string{fmt.Sprintf("left alone, because the contact was deleted in Owlat (on_remote_delete: %s)", t.sync.OnRemoteDelete)}
	case e.Origin == ledger.OriginDeleted:
		return []string{"removed"}
	}
	return []string{"not applied, or not completely; a run takes it up"}
}

// inOwlat says what Owlat holds now.
func (t *tale) inOwlat() []string {
	switch {
	case t.deleted():
		return []string{"the contact is not there any more"}
	case t.remoteErr != nil:
		return []string{"not known: " + t.remoteErr.Error()}
	case t.remote == nil:
		return nil
	}
	if differs := t.remoteDiffers(); differs != "" {
		return []string{"changed there: " + differs, "\"owlat-sync run --full\" sets it right"}
	}
	return []string{"as recorded here, last changed " + clock(t.remote.UpdatedAt)}
}

// topics says for each topic whether the contact was put on it, and why or why not.
func (t *tale) topics() []string {
	if t.entry == nil {
		return nil
	}
	var lines []string
	for i := range t.entry.Memberships {
		m := &t.entry.Memberships[i]
		lines = append(lines, m.Topic+": "+t.membership(m))
	}
	for _, topic := range t.sync.Topics {
		if t.entry.Membership(topic.ID) == nil {
			lines = append(lines, topic.ID+": not decided yet; the next run that applies the row does")
		}
	}
	if len(lines) > 0 {
		lines = append(lines, "(Owlat tells nobody who is on a topic now: who has left it since is not known here)")
	}
	return lines
}

func (t *tale) membership(m *ledger.Membership) string {
	var topic *config.Topic
	for i := range t.sync.Topics {
		if t.sync.Topics[i].ID == m.Topic {
			topic = &t.sync.Topics[i]
		}
	}
	when := clock(m.At)
	text := ""
	switch m.State {
	case ledger.MemberAdded:
		text = fmt.Sprintf("put on it %s; %s", when, consentWords(topic))
	case ledger.MemberWanted:
		text = "to be put on it; " + consentWords(topic)
	case ledger.MemberSent:
		text = fmt.Sprintf("an add was sent %s and its answer is not known", when)
	case ledger.MemberLeaving:
		text = fmt.Sprintf("a removal was sent %s and its answer is not known; the next run sees to it", when)
	case ledger.MemberSkipped:
		text = "left as it is in Owlat (existing: skip), because the contact, or the row, was there before"
		if topic != nil && topic.When != "" {
			text += fmt.Sprintf("; the column %q going from no to yes puts it on", topic.When)
		}
	case ledger.MemberOut:
		text = "not on it, because the row says no"
		if topic != nil && topic.When != "" {
			text = fmt.Sprintf("not on it since %s, because the row's column %q says no", when, topic.When)
		}
	case ledger.MemberLeft:
		text = fmt.Sprintf("taken off %s, because the row left the source; that it is back is no new consent", when)
	case ledger.MemberUnsure:
		text = fmt.Sprintf("an add was sent %s and never answered; repeating it could undo an opt-out: \"owlat-sync topic add\" does it if you are sure", when)
	default:
		text = string(m.State)
	}
	if topic == nil {
		text += " (the configuration does not have this topic any more)"
	}
	return text
}

// consentWords says on what ground a row is put on a topic.
func consentWords(topic *config.Topic) string {
	if topic == nil || topic.When == "" {
		return "every row is"
	}
	return fmt.Sprintf("the row's column %q said yes", topic.When)
}

func (t *tale) events() []string {
	if t.entry == nil {
		return nil
	}
	var lines []string
	for _, m := range t.entry.Events {
		switch m.State {
		case ledger.EventUnknown:
			lines = append(lines, fmt.Sprintf("%s: sent %s, and nobody knows whether it arrived; it is not sent again", m.Name, clock(m.At)))
		case ledger.EventAwaited:
			lines = append(lines, fmt.Sprintf("%s: due if the update of %s took effect, which the next run looks up", m.Name, clock(m.At)))
		case ledger.EventSent:
			lines = append(lines, fmt.Sprintf("%s: sent %s, the answer is not recorded", m.Name, clock(m.At)))
		default:
			lines = append(lines, fmt.Sprintf("%s: due since %s", m.Name, clock(m.At)))
		}
	}
	return lines
}

// story tells what happened, oldest first.
func (t *tale) story() []string {
	lines := make([]string, len(t.history))
	for i, h := range t.history {
		run := "outside of a run"
		if h.Run > 0 {
			run = fmt.Sprintf("run %d", h.Run)
		}
		lines[i] = fmt.Sprintf("%s  %s  %s", clock(h.At), run, happened(h.Event, h.Note))
	}
	return lines
}

// happened says a line of history in words.
func happened(event, note string) string {
	switch event {
	case string(owlatsync.Created):
		return "created the contact"
	case string(owlatsync.Adopted):
		return "took the contact over as it was in Owlat"
	case string(owlatsync.Updated):
		if note == "" {
			return "recorded a change that needed no request"
		}
		return "changed " + strings.ReplaceAll(note, "email", "the address")
	case "topic added":
		return "put it on topic " + note
	case "topic removed":
		return "took it off topic " + note
	case "gone":
		return "found the contact deleted in Owlat"
	case "deleted":
		return "deleted the contact"
	case "retry":
		return "asked to try again"
	case "event sent":
		return "sent event " + note
	case "event unknown":
		return "lost the answer to event " + note
	}
	if note == "" {
		return event
	}
	return event + ": " + note
}

// inSource says what the source has for the row.
func (t *tale) inSource() []string {
	switch {
	case t.row != nil:
		line := fmt.Sprintf("%s: %s", t.row.Position, nameWords(orElse(owlatsync.Trim(t.row.Email.Value), "no address"),
			given(t.row.FirstName), given(t.row.LastName)))
		for i, topic := range t.sync.Topics {
			if topic.When != "" && i < len(t.row.Consents) {
				line += fmt.Sprintf(", %s %s", topic.When, yesNo(t.row.Consents[i]))
			}
		}
		if t.row.Defect != "" {
			line += "; " + t.row.Defect
		}
		return []string{line}
	case t.planned:
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
