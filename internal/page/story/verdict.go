package story

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"owlatsync/internal/explain"
	"owlatsync/internal/ways"
	"owlatsync/ledger"
	"owlatsync/reconcile"
)

// Tone is how good a verdict is.
type Tone string

const (
	Good    Tone = "good"    // all is as the row says
	Waiting Tone = "waiting" // something is still to come
	Off     Tone = "off"     // the person gets nothing, as somebody decided
	Bad     Tone = "bad"     // something is wrong
	Unknown Tone = "unknown" // nobody here knows
)

// Verdict says how something stands, and why.
type Verdict struct {
	Tone Tone
	Says string
	At   time.Time // since when it is so; zero: it has no beginning that is known
	Do   string    // what can be done; empty: nothing, or nothing needs to be
}

// Answer says whether a person gets mail, and why.
type Answer struct {
	Verdict
	Word string    // yes or no, as far as it is known
	Told time.Time // when Owlat answered that it sends the person nothing, because it was asked to; zero: it did not
}

const (
	no       = "No"
	notYet   = "Not yet"
	notKnown = "Not known here"
)

// Of returns the answer about one row.
func Of(t *explain.Tale) Answer {
	if t.Barred != nil {
		return Suppressed(*t.Barred, []*explain.Tale{t}, t.Ways)
	}
	topics := Topics(t)
	v, stopped := barrier(t, topics)
	if !stopped {
		v = ofTopics(t, topics)
	}
	return Answer{Verdict: v, Word: wordOf(v.Tone, topics)}
}

// Together returns the answer about all rows of a person: what the row says that tells the most of why they get nothing.
func Together(tales []*explain.Tale) Answer {
	all, topics := make([]Answer, len(tales)), []Topic(nil)
	for i, t := range tales {
		all[i] = Of(t)
		for _, topic := range Topics(t) {
			if at := slices.IndexFunc(topics, func(other Topic) bool { return other.ID == topic.ID }); at < 0 {
				topics = append(topics, topic)
			} else if topic.On && !topics[at].On {
				topics[at] = topic
			}
		}
	}
	at := worst(all)
	v := all[at]
	if len(all) > 1 {
		v.Says = fmt.Sprintf("By row %s of %s: %s", tales[at].Key, tales[at].Sync.Name, v.Says)
		v.Word = wordOf(v.Tone, topics)
	}
	return v
}

// wordOf answers whether somebody gets mail who stands so to their topics. Without topics the tone alone decides.
func wordOf(tone Tone, topics []Topic) string {
	on, sure := 0, true
	for _, topic := range topics {
		if topic.On {
			on, sure = on+1, sure && topic.Tone == Good
		}
	}
	switch {
	case on == len(topics) && on > 0 && sure:
		return "Yes"
	case on == len(topics) && on > 0:
		return "Yes, as far as is known here"
	case on > 0 && sure:
		return fmt.Sprintf("Yes, from %d of %d topics", on, len(topics))
	case on > 0:
		return fmt.Sprintf("Yes, from %d of %d topics, as far as is known here", on, len(topics))
	case tone == Waiting:
		return notYet
	case tone == Off, tone == Bad:
		return no
	}
	return notKnown
}

// ofTopics returns the verdict about a row that stands to topics as they say.
func ofTopics(t *explain.Tale, topics []Topic) Verdict {
	if len(topics) == 0 {
		return Verdict{Tone: Unknown, Says: "This sync puts nobody on a topic, so what the person gets is decided in Owlat. Their contact is there as the row last had it.", At: t.Entry.ChangedAt}
	}
	worst, on := topics[0], 0
	for _, topic := range topics {
		if topic.On {
			on++
		}
		if rank(topic.Tone) > rank(worst.Tone) {
			worst = topic
		}
	}
	if on == len(topics) {
		what := "the topic"
		if on > 1 {
			what = fmt.Sprintf("all %d topics", on)
		}
		v := Verdict{Tone: worst.Tone, Says: "The contact is in Owlat, and is on " + what + ", as Owlat says now.", At: worst.At, Do: worst.Do}
		if t.Members == nil {
			v.Says = "The contact is in Owlat, and was put on " + what + ". " + since(t.Ways)
		}
		if t.Lifted() != "" {
			v.Says += " " + blockList(t)
		}
		return v
	}
	v := worst.Verdict
	v.Says = fmt.Sprintf("Topic %s: %s", namesOf(t).said(worst.ID), v.Says)
	return v
}

// since says how it would be known here that somebody has left a topic.
func since(w ways.Ways) string {
	switch {
	case w.Webhooks && w.Polling:
		return "Neither a webhook nor polling has told that they left since."
	case w.Webhooks:
		return "No webhook of Owlat has told that they left since."
	case w.Polling:
		return "Polling has not shown that they left since."
	}
	return "Whether they left since is not known here: no webhook comes from Owlat, and nothing is polled."
}

// rank orders tones by how much they say why somebody gets nothing.
func rank(t Tone) int {
	switch t {
	case Good:
		return 0
	case Unknown:
		return 1
	case Waiting:
		return 2
	case Off:
		return 3
	}
	return 4
}

// worst returns the place of the answer that says the most of why somebody gets nothing.
func worst(all []Answer) (worst int) {
	for i := range all {
		if rank(all[i].Tone) > rank(all[worst].Tone) {
			worst = i
		}
	}
	return worst
}

// barrier says what keeps everything from the person, or from being as the row says, whatever their topics.
func barrier(t *explain.Tale, topics []Topic) (v Verdict, stopped bool) {
	e := t.Entry
	switch {
	case e == nil:
		return Verdict{Tone: Waiting, Says: "No run has taken the row up, so Owlat does not know the person from it.", Do: "Ask for a run. If the row cannot be sent, the failures say why."}, true
	case e.Failure != nil:
		f, tries := e.Failure, "later runs try it again"
		if f.Parked {
			tries = "is not tried again until it changes"
		}
		do := Advice(f.Category)
		if f.Category == ledger.CategoryTaken {
			do += " A look in the sources now names the address."
		}
		return Verdict{Bad, "The row fails, and " + tries + ": " + f.Reason + ".", f.First, do}, true
	case t.Deleted() && e.Origin != ledger.OriginGone:
		return Verdict{Tone: Off, Says: "Owlat has no such contact any more.", Do: fmt.Sprintf("The next run that notices it does what on_remote_delete says: %s.", onRemoteDelete(t))}, true
	case e.Origin == ledger.OriginGone:
		return Verdict{Off, "The contact was deleted in Owlat.", e.ChangedAt, fmt.Sprintf("The sync does with such rows what on_remote_delete says: %s.", onRemoteDelete(t))}, true
	case e.Origin == ledger.OriginDeleted:
		return Verdict{Off, "The row left the source, and the sync deleted its contact.", e.ChangedAt, "If the person should get mail, the source must have the row."}, true
	case e.Departed != "" && slices.ContainsFunc(topics, func(topic Topic) bool { return topic.On }):
		return Verdict{Off, fmt.Sprintf("The row is not in the source any more, and the sync leaves its contact where it is (on_missing: %s).", t.Sync.OnMissing), t.Left(),
			"If the person should get no mail, take them off in Owlat, or let on_missing say so."}, true
	case e.Departed != "":
		return Verdict{Off, "The row is not in the source any more.", t.Left(), "If the person should get mail, the source must have the row."}, true
	case t.Stranger():
		return Verdict{Tone: Off, Says: "A row or a list said that no mail may go to the person, ever. Owlat has no contact of theirs, so none is made.",
			Do: "If that was wrong, correct the row, and lift the suppression: \"owlat-sync feedback lift\" with the address."}, true
	case t.Sync.Match:
		return Verdict{Tone: Off, Says: "The sync only sends events, to whoever has the address of the row. It puts nobody on a topic."}, true
	case e.Origin == ledger.OriginExported:
		return Verdict{Waiting, "The row was written to a file for Owlat's importer, and no run has met its contact since.", e.FirstSeen, "Import the file in Owlat's dashboard. The next run sees to it."}, true
	case e.ContactID == "":
		return Verdict{Tone: Waiting, Says: "The row has no contact in Owlat yet.", Do: "The next run sees to it."}, true
	}
	return v, false
}

// onRemoteDelete is the word of the policy, also where the sync leaves it to the default.
func onRemoteDelete(t *explain.Tale) reconcile.RemoteDeletePolicy {
	return cmp.Or(t.Sync.OnRemoteDelete, reconcile.RemoteDeleteKeep)
}
